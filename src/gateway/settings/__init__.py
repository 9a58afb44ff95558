"""Every setting: one typed, frozen object; what is not written has a safe default.

Rules:

1. Safe defaults: bound to loopback, no proxy is trusted, nothing is hidden or opened.
2. All mistakes are reported together, each with its place; then nothing starts.
3. Contradictions are mistakes: an upstream that is this gateway, both or no source of a secret, trust in every address.
4. A secret stands in a file or in the environment, never in a setting; nothing here prints it.
5. A relative path, also in `store.url` and `unix:`, is relative to the folder of the TOML file.

| file | what it holds |
|---|---|
| `sections` | the settings themselves, with defaults and descriptions |
| `rates` | how often somebody may ask |
| `forms` | what values look like: durations, networks, addresses |
| `credential` | what a backend is sent to prove who calls, and where its secret comes from |
| `identity_token` | signed tokens that tell backends who asks |
| `reading` | TOML file and environment, merged, with the place of each key |
| `mistakes` | sentences about what is wrong |
| `catalogue` | the list of settings, compared with `docs/settings.md` by a test |
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError, ValidationInfo, field_validator

from gateway.errors import SettingsError
from gateway.local_services import LOCAL
from gateway.settings.catalogue import Setting, settings_of
from gateway.settings.forms import Loading, UpstreamName, is_own_address, loading
from gateway.settings.identity_token import IdentityTokenSection
from gateway.settings.mistakes import sentence
from gateway.settings.rates import RatesSection
from gateway.settings.reading import Keys, chosen_file, misspelled_variables, read_written
from gateway.settings.sections import (
    AuditSection,
    ForwardAuthSection,
    LimitsSection,
    ManagementSection,
    PoliciesSection,
    ProxiesSection,
    RefusalsSection,
    Section,
    ServerSection,
    ServicesSection,
    SharesSection,
    StoreSection,
    UpstreamSection,
)

if TYPE_CHECKING:
    from gateway.identity_token import IdentityTokens
    from gateway.upstream import UpstreamSettings

__all__ = ["Setting", "Settings", "catalogue"]


class Settings(Section):
    """All settings of one gateway."""

    server: ServerSection = ServerSection()
    management: ManagementSection = ManagementSection()
    store: StoreSection = StoreSection()
    policies: PoliciesSection = PoliciesSection()
    proxies: ProxiesSection = ProxiesSection()
    forward_auth: ForwardAuthSection = ForwardAuthSection()
    audit: AuditSection = AuditSection()
    refusals: RefusalsSection = RefusalsSection()
    shares: SharesSection = SharesSection()
    services: ServicesSection = ServicesSection()
    limits: LimitsSection = LimitsSection()
    rates: RatesSection = RatesSection()
    identity_token: IdentityTokenSection = IdentityTokenSection()
    upstreams: Mapping[UpstreamName, UpstreamSection] = Field(default={})

    @field_validator("management")
    @classmethod
    def _ports_differ(cls, management: ManagementSection, info: ValidationInfo) -> ManagementSection:
        server = info.data.get("server")
        if management.enabled and management.port and server and management.port == server.port:
            raise ValueError("`port` is the one of `[server]`: choose another")
        return management

    @field_validator("upstreams")
    @classmethod
    def _upstreams_fit(
        cls, upstreams: Mapping[str, UpstreamSection], info: ValidationInfo
    ) -> Mapping[str, UpstreamSection]:
        given, server = loading(info), info.data.get("server")
        if given and given.serving and not upstreams:
            raise ValueError("there is none: write `[upstreams.NAME]` with the `url` of a backend")
        own = [
            f"`{name}`"
            for name, upstream in upstreams.items()
            if server and is_own_address(upstream.url, server.host, server.port)
        ]
        if own:
            raise ValueError(f"{', '.join(own)} points at this gateway itself")
        if tokens := info.data.get("identity_token"):
            tokens.fits(upstreams)
        return upstreams

    @property
    def targets(self) -> tuple[str, ...]:
        """Who may answer requests: the upstreams by name, and the services that are local; sorted."""
        return tuple(sorted((*self.upstreams, *(LOCAL + name for name in self.services.local))))

    @classmethod
    def load(
        cls,
        path: Path | None = None,
        *,
        environ: Mapping[str, str] = os.environ,
        options: Mapping[Keys, tuple[str, Any]] | None = None,
        serving: bool = False,
    ) -> "Settings":
        """Returns the settings that the operator wrote.

        Args:
            path: the TOML file; None for `MEDIAGATE_CONFIG`, else `mediagate.toml` in this folder if there is one.
            environ: the environment.
            options: what the command line says: keys → the option's name and its value.
            serving: whether upstreams, their secrets and their files must be there.

        Raises:
            SettingsError: carries every problem with its place.
        """
        written = read_written(chosen_file(path, environ), environ, options or {})
        problems = misspelled_variables(environ, (setting.variable for setting in catalogue()))
        context = Loading(written.folder, environ, serving=serving)
        try:
            settings = cls.model_validate(written.values, context=context)
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)
            raise SettingsError(
                [*problems, *(sentence(details, written, cls) for details in found)]
            ) from None
        if problems:
            raise SettingsError(problems)
        return settings

    def upstream_settings(self, environ: Mapping[str, str] = os.environ) -> "dict[str, UpstreamSettings]":
        """Returns what each upstream's connection pool is made from, by name; reads the secrets.

        Raises:
            SettingsError: a secret is not there or not usable.
        """
        from gateway.upstream import UpstreamSettings

        made: dict[str, UpstreamSettings] = {}
        problems: list[str] = []
        for name, upstream in self.upstreams.items():
            try:
                made[name] = UpstreamSettings(
                    name=name,
                    host_header=None if upstream.host == "keep" else upstream.host,
                    credential=upstream.credential.to_show(environ),
                    **upstream.model_dump(exclude={"host", "credential", "audience"}),
                )
            except ValueError as error:
                problems.append(f"upstreams.{name}.credential: {error}")
        if problems:
            raise SettingsError(problems)
        return made

    def identity_tokens(self) -> "IdentityTokens":
        """Returns what signs tokens about who asks; reads the keys.

        Raises:
            SettingsError: a key is not there or cannot sign.
        """
        return self.identity_token.tokens(self.upstreams)


def catalogue() -> tuple[Setting, ...]:
    """Returns all settings, in the order of the code."""
    return tuple(settings_of(Settings))
