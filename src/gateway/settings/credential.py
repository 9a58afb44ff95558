"""The credential that a backend wants from the gateway, and the one secret source it may name.

Rules:

1. `kind` says what is sent: nothing, a header, Basic, or the client's own credential passed on.
2. A secret comes from exactly one of `secret_file` and `secret_env`; it is read when the gateway starts to serve.
3. A secret file that everybody on the machine may read is refused.
4. No sentence, repr or error holds a secret, nor what might be one that stands in the wrong key.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, model_validator

from gateway.headers import Credential
from gateway.settings.forms import Form, HeaderName, PlacedPath, loading

Kind = Annotated[Literal["none", "header", "basic", "pass"], Form("`none`, `header`, `basic` or `pass`")]

MAX_SECRET: Final = 4096
_OTHERS: Final = 0o006
_PRINTABLE: Final = re.compile(r"[\x20-\x7e\xa0-\xff]+")
_NEEDS: Final[Mapping[str, frozenset[str]]] = {
    "none": frozenset(),
    "header": frozenset(("name", "secret")),
    "basic": frozenset(("user", "secret")),
    "pass": frozenset(),
}


class CredentialSection(BaseModel):
    """What one backend is given."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        validate_default=True,
        revalidate_instances="always",
    )

    kind: Kind = Field(default="none", description="what the backend is sent to prove who calls")
    name: HeaderName | None = Field(default=None, description="for `header`: its name")
    user: Annotated[str, Form("text")] | None = Field(default=None, description="for `basic`: the user")
    secret_file: PlacedPath | None = Field(
        default=None, description="file that holds the header's value or the password; not readable by others"
    )
    secret_env: Annotated[str, Form("variable name")] | None = Field(
        default=None, description="environment variable that holds it"
    )

    @model_validator(mode="after")
    def _consistent(self, info: ValidationInfo) -> Self:
        problems = [*self._problems()]
        given = loading(info)
        if not problems and given and given.serving and "secret" in _NEEDS[self.kind]:
            self.secret(given.environ)
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _problems(self) -> list[str]:
        sources = [name for name in ("secret_file", "secret_env") if getattr(self, name) is not None]
        written = {name for name in ("name", "user") if getattr(self, name) is not None}
        if sources:
            written.add("secret")
        needs = _NEEDS[self.kind]
        problems = [f"`{self.kind}` takes no `{name}`" for name in sorted(written - needs)]
        problems += [f"`{self.kind}` needs `{name}`" for name in sorted(needs - written - {"secret"})]
        if "secret" in needs and len(sources) != 1:
            problems.append("a secret comes from exactly one of `secret_file` and `secret_env`")
        if self.user is not None and (":" in self.user or not _PRINTABLE.fullmatch(self.user)):
            problems.append("`user` must be printable and without a colon")
        return problems

    def to_show(self, environ: Mapping[str, str] = os.environ) -> Credential:
        """Returns what the backend is shown; reads the secret.

        Raises:
            ValueError: the secret is not there or not usable.
        """
        if self.kind == "header" and self.name:
            return Credential.header(self.name, self.secret(environ).get_secret_value())
        if self.kind == "basic" and self.user:
            return Credential.basic(self.user, self.secret(environ).get_secret_value())
        return Credential.passed() if self.kind == "pass" else Credential.none()

    def secret(self, environ: Mapping[str, str] = os.environ) -> SecretStr:
        """Reads the secret from its source.

        Raises:
            ValueError: it is not there, or is not usable; the sentence does not hold it.
        """
        if self.secret_file is not None:
            source, text = "secret_file", self._from_file(self.secret_file)
        elif self.secret_env is not None and self.secret_env in environ:
            source, text = "secret_env", environ[self.secret_env]
        else:
            raise ValueError("the variable that `secret_env` names is not set")
        if not text or len(text) > MAX_SECRET or not _PRINTABLE.fullmatch(text):
            raise ValueError(
                f"what `{source}` names does not hold one line of 1 to {MAX_SECRET} printable characters"
            )
        return SecretStr(text)

    def _from_file(self, path: Path) -> str:
        try:
            with path.open(encoding="utf-8") as file:
                if os.fstat(file.fileno()).st_mode & _OTHERS:
                    raise ValueError(f"`{path}` may be read or written by everybody: `chmod o-rw {path}`")
                return file.read(MAX_SECRET + 2).removesuffix("\n").removesuffix("\r")
        except OSError as error:
            said = (error.strerror or "error").lower()
            raise ValueError(f"what `secret_file` names cannot be read: {said}") from error
        except UnicodeDecodeError as error:
            raise ValueError("what `secret_file` names is not UTF-8") from error
