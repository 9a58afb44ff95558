"""Settings: what is read from file and environment, what is refused, and where a mistake is said to stand."""

import pickle
import re
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import SettingsError
from gateway.headers import HOP_BY_HOP
from gateway.reasons import Reason
from gateway.settings import Settings, catalogue
from gateway.settings.forms import is_own_address
from gateway.settings.reading import chosen_file
from gateway.upstream import Credential, UpstreamSettings

DOCUMENT = Path(__file__).parents[2] / "docs" / "settings.md"
UPSTREAM = '[upstreams.media]\nurl = "http://127.0.0.1:9000"\n'


def written(folder: Path, text: str) -> Path:
    """Writes a settings file and returns its path."""
    path = folder / "mediagate.toml"
    path.write_text(text, encoding="utf-8")
    return path


def loaded(folder: Path, text: str, *, serving: bool = False, **environ: str) -> Settings:
    """Returns the settings that `text` and the variables give."""
    return Settings.load(written(folder, text), environ=environ, serving=serving)


def problems(folder: Path, text: str, *, serving: bool = False, **environ: str) -> list[str]:
    """Returns the problems of `text` and the variables, the file named shortly."""
    path = written(folder, text)
    with pytest.raises(SettingsError) as caught:
        Settings.load(path, environ=environ, serving=serving)
    return [problem.replace(str(path), "mediagate.toml") for problem in caught.value.problems]


# ------------------------------------------------------------------------------------------------ what is read


def test_defaults_are_safe(tmp_path: Path) -> None:
    """With nothing written the gateway listens on loopback, trusts no proxy and hides nothing."""
    settings = loaded(tmp_path, "")

    assert settings.server.host == "127.0.0.1"
    assert not settings.proxies.networks
    assert settings.refusals.hide == frozenset()
    assert settings.upstreams == {}


def test_file_sets_every_group(tmp_path: Path) -> None:
    """Values of a file arrive with their types."""
    settings = loaded(
        tmp_path,
        """
        [server]
        port = 8181
        prefix = "/_gate/"
        [store]
        poll_interval = "250ms"
        [proxies]
        trusted = ["10.0.0.0/8", "::ffff:192.0.2.7"]
        [refusals]
        hide = ["no-grant"]
        [limits]
        routes_body = "128KiB"
        [upstreams.media]
        url = "https://media.example.org"
        host = "media.example.org"
        read_timeout = "2m"
        """,
    )

    assert (settings.server.port, settings.server.prefix) == (8181, "/_gate/")
    assert settings.store.poll_interval == 0.25
    assert settings.proxies.trusted == ("10.0.0.0/8", "192.0.2.7/32")
    assert settings.refusals.hide == {Reason.NO_GRANT}
    assert settings.limits.routes_body == 131072
    assert settings.upstreams["media"].read_timeout == 120.0


def test_environment_wins_over_file_and_option_over_both(tmp_path: Path) -> None:
    """The nearest word counts: file, then environment, then command line."""
    path = written(tmp_path, "[server]\nport = 1\nworkers = 2\nbacklog = 3")

    settings = Settings.load(
        path,
        environ={"MEDIAGATE_SERVER__PORT": "4", "MEDIAGATE_SERVER__WORKERS": "5"},
        options={("server", "port"): ("--port", 6)},
    )

    assert (settings.server.port, settings.server.workers, settings.server.backlog) == (6, 5, 3)


def test_list_in_a_variable_is_split_at_commas(tmp_path: Path) -> None:
    """A list in the environment is written with commas; an empty variable is an empty list."""
    settings = loaded(
        tmp_path, "", MEDIAGATE_PROXIES__TRUSTED="10.0.0.0/8, 192.0.2.1", MEDIAGATE_REFUSALS__HIDE=""
    )

    assert settings.proxies.trusted == ("10.0.0.0/8", "192.0.2.1/32")
    assert settings.refusals.hide == frozenset()


def test_upstream_can_come_from_the_environment_alone(tmp_path: Path) -> None:
    """A container needs no file."""
    settings = loaded(tmp_path, "", serving=True, MEDIAGATE_UPSTREAMS__MEDIA__URL="http://media:9000/")

    assert settings.upstreams["media"].url == "http://media:9000"


def test_relative_paths_belong_to_the_folder_of_the_file(tmp_path: Path) -> None:
    """Wherever the command is started, paths mean the same."""
    settings = loaded(
        tmp_path,
        """
        [audit]
        path = "audit.log"
        [upstreams.media]
        url = "unix:run/media.sock"
        credential = {kind = "header", name = "X-Key", secret_file = "key"}
        """,
    )

    assert settings.store.url == f"sqlite:///{tmp_path}/mediagate.db"
    assert settings.policies.folder == tmp_path / "policies"
    assert settings.audit.path == tmp_path / "audit.log"
    assert settings.upstreams["media"].url == f"unix:{tmp_path}/run/media.sock"
    assert settings.upstreams["media"].credential.secret_file == tmp_path / "key"


def test_dash_is_no_path(tmp_path: Path) -> None:
    """`-` stays standard output."""
    assert str(loaded(tmp_path, '[audit]\npath = "-"').audit.path) == "-"


def test_store_url_keeps_absolute_paths_options_and_servers(tmp_path: Path) -> None:
    """Only a relative SQLite path is placed."""
    for url in (
        "sqlite:////srv/facts.db?timeout=3",
        "postgresql://gate@db/facts",
        "postgresql+psycopg:///facts",
    ):
        assert loaded(tmp_path, f'[store]\nurl = "{url}"').store.url == url


def test_folder_whose_name_ends_the_path_of_a_url_is_refused(tmp_path: Path) -> None:
    """A `?` in the folder's name would cut the store's path short."""
    folder = tmp_path / "what?"
    folder.mkdir()

    (problem,) = problems(folder, "")
    assert "a path in a URL cannot have a `?`: choose another folder" in problem


def test_chosen_file_is_the_one_asked_for_then_the_variable_then_the_one_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--config` wins over MEDIAGATE_CONFIG, that over mediagate.toml here, and no file is no error."""
    monkeypatch.chdir(tmp_path)
    named = {"MEDIAGATE_CONFIG": "b.toml"}

    assert chosen_file(Path("a.toml"), named) == Path("a.toml")
    assert chosen_file(None, named) == Path("b.toml")
    assert chosen_file(None, {}) is None
    written(tmp_path, "")
    assert chosen_file(None, {}) == Path("mediagate.toml")
    assert Settings.load(environ={}).server.port == 8080


def test_settings_are_frozen_and_can_be_sent_to_a_worker(tmp_path: Path) -> None:
    """Nothing changes them after the start, and a process can hand them to another."""
    settings = loaded(tmp_path, UPSTREAM)

    with pytest.raises(ValueError, match="frozen"):
        settings.server.port = 1
    assert pickle.loads(pickle.dumps(settings)) == settings


# ---------------------------------------------------------------------------------------------- what is refused


def test_all_mistakes_are_reported_together_each_with_its_place(tmp_path: Path) -> None:
    """One start shows everything that is wrong: file and line, or the variable's name."""
    text = """[server]
port = "eighty"
prt = 5
workers = 0
prefix = "/-"
[proxies]
trusted = ["10.0.0.1/8"]
[audit]
path = 5
[refusals]
hide = ["role", "unknown-object", "backend-down", "nonsense"]
[upstreams.media]
host = "a b"
read_timeout = "soon"
"""
    found = problems(
        tmp_path, text, MEDIAGATE_LIMITS__FACTS="3", MEDIAGATE_SERVER__BACKLOG="many", MEDIAGATE_STORE_URL="x"
    )

    places = [problem.split(": ")[:2] for problem in found]
    assert places == [
        ["MEDIAGATE_STORE_URL", "is not a setting"],
        ["mediagate.toml:2", "server.port"],
        ["mediagate.toml:5", "server.prefix"],
        ["mediagate.toml:4", "server.workers"],
        ["MEDIAGATE_SERVER__BACKLOG", "server.backlog"],
        ["mediagate.toml:3", "server.prt"],
        ["mediagate.toml:7", "proxies.trusted[0]"],
        ["mediagate.toml:9", "audit.path"],
        ["mediagate.toml:11", "refusals.hide[1]"],
        ["mediagate.toml:11", "refusals.hide[2]"],
        ["mediagate.toml:11", "refusals.hide[3]"],
        ["MEDIAGATE_LIMITS__FACTS", "limits.facts"],
        ["mediagate.toml:12", "upstreams.media.url"],
        ["mediagate.toml:13", "upstreams.media.host"],
        ["mediagate.toml:14", "upstreams.media.read_timeout"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[server]\nprt = 5", "2: server.prt: is not a setting; did you mean `port`?"),
        ("[serve]\nport = 5", "1: serve: is not a setting; did you mean `server`?"),
        ("server = 5", "1: server: must be a table"),
        ("upstreams = 5", "1: upstreams: must be a table"),
        ("[server]\nport = 70000", "2: server.port: must be less than or equal to 65535"),
        ("[server]\nport = 1.5", "2: server.port: must be a whole number"),
        ("[server]\nhost = 5", "2: server.host: must be a text in quotes"),
        ('[server]\nhost = "[::1]"', "2: server.host: must be an address (without brackets or port) or a host name"),
        ('[server]\nhost = "127.0.0.1:80"', "2: server.host: must be an address (without brackets or port) or a host name"),
        ('[server]\nprefix = "/"', "2: server.prefix: must be one path segment between slashes, as in `/-/`"),
        ('[server]\nprefix = "/../"', "2: server.prefix: must be one path segment between slashes, as in `/-/`"),
        ('[server]\nprefix = "/a/b/"', "2: server.prefix: must be one path segment between slashes, as in `/-/`"),
        ("[server]\nworkers = 0", "2: server.workers: must be greater than or equal to 1"),
        ('[store]\npoll_interval = "10s"', "1: store.max_staleness: must be longer than `store.poll_interval`, or every request is refused"),
        ('[store]\nurl = "sqlite://"', "2: store.url: must be `sqlite:///FILE` or `postgresql://USER@HOST/DATABASE`"),
        ('[store]\nurl = "mysql://db/facts"', "2: store.url: must be `sqlite:///FILE` or `postgresql://USER@HOST/DATABASE`"),
        ('[store]\nurl = "sqlite:///:memory:"', "2: store.url: must name a file: the commands and the workers share it"),
        ('[policies]\nsource = "store"\nfolder = "policies"', "1: policies: `source` is `store` and a `folder` is named too, but only one can decide: take one of the two out"),
        ('[policies]\nsource = "git"', "2: policies.source: must be `folder` or `store`"),
        ("[proxies]\ntrusted = 5", "2: proxies.trusted: must be a list"),
        ('[proxies]\ntrusted = ["0.0.0.0/0"]', "2: proxies.trusted: trusts every address, so that anybody could claim any address: list your proxies only"),
        ('[proxies]\ntrusted = ["::/0"]', "2: proxies.trusted: trusts every address, so that anybody could claim any address: list your proxies only"),
        ('[proxies]\ntrusted = ["0.0.0.0/1", "128.0.0.0/1"]', "2: proxies.trusted: trusts every address, so that anybody could claim any address: list your proxies only"),
        ('[proxies]\ntrusted = ["proxy"]', "2: proxies.trusted[0]: `proxy` is not an IPv4 or IPv6 address"),
        ('[refusals]\nhide = ["unknown-object"]', "2: refusals.hide[0]: `unknown-object` is told outside as `no-grant`: name that one"),
        ("[audit]\npath = []", "2: audit.path: must be a text in quotes"),
        ('[upstreams.media]\nurl = "ftp://x"', "2: upstreams.media.url: must be `http://HOST:PORT`, `https://HOST:PORT` or `unix:/PATH`"),
        ('[upstreams.media]\nurl = "http://x:0"', "2: upstreams.media.url: must be `http://HOST:PORT`, `https://HOST:PORT` or `unix:/PATH`"),
        ('[upstreams.media]\nurl = "http://x:port"', "2: upstreams.media.url: is not an address: the host or the port cannot be read"),
        ('[upstreams.media]\nurl = "http://x/api"', "2: upstreams.media.url: must end after the port: targets are forwarded as they come"),
        ('[upstreams.media]\nurl = "unix:"', "2: upstreams.media.url: must be `unix:` and the path of a socket"),
        ('[upstreams.media]\nurl = "http://x"\nca_file = "ca.pem"', "1: upstreams.media: `ca_file` is for an `https` url"),
        ("[upstreams.media]", "1: upstreams.media.url: is missing"),
        ('[upstreams.url]\nurl = "http://x"\nread_timout = 5', "3: upstreams.url.read_timout: is not a setting; did you mean `read_timeout`?"),
        ('[upstreams.Media]\nurl = "http://x"', "1: upstreams.Media: is not a name for an upstream: use a-z, 0-9, `_` and `-`, starting with a letter"),
        ('[upstreams.media]\nurl = "http://127.0.0.1:8080"', "1: upstreams: `media` points at this gateway itself"),
        ("port = ", "1: is not TOML: invalid value"),
        ("[server]\nport = 1\nport = 2", "3: is not TOML: cannot overwrite a value"),
        ("[server", "1: is not TOML: expected `]` at the end of a table declaration"),
    ],
)  # fmt: skip
def test_mistake_is_named_with_what_to_do(tmp_path: Path, text: str, said: str) -> None:
    """Each mistake has one sentence, with the line where it stands."""
    assert [problem.replace("'", "`") for problem in problems(tmp_path, text)] == [f"mediagate.toml:{said}"]


def test_option_of_the_command_line_is_a_place(tmp_path: Path) -> None:
    """A bad option is named as the operator typed it."""
    with pytest.raises(SettingsError, match=r"^--port: server\.port: must be less"):
        Settings.load(written(tmp_path, ""), environ={}, options={("server", "port"): ("--port", 99999)})


def test_missing_and_unreadable_files_are_named(tmp_path: Path) -> None:
    """A file that is not there, no file, or not text is said to be so."""
    with pytest.raises(SettingsError, match=r"no\.toml: does not exist: write it with `mediagate init`"):
        Settings.load(tmp_path / "no.toml", environ={})
    with pytest.raises(SettingsError, match="cannot be read: is a directory"):
        Settings.load(tmp_path, environ={})
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9")
    with pytest.raises(SettingsError, match=r"latin\.toml: is not UTF-8 \(byte 5\)"):
        Settings.load(tmp_path / "latin.toml", environ={})


def test_variables_that_kubernetes_sets_are_not_ours(tmp_path: Path) -> None:
    """A service called `mediagate` or `mediagate-server` puts variables with our prefix into every container."""
    settings = loaded(
        tmp_path,
        "",
        MEDIAGATE_PORT="tcp://10.0.0.1:8080",
        MEDIAGATE_SERVICE_HOST="10.0.0.1",
        MEDIAGATE_SERVER_PORT="tcp://10.0.0.1:8080",
    )

    assert settings.server.port == 8080


def test_variable_with_an_underscore_too_few_is_named(tmp_path: Path) -> None:
    """A misspelled variable is not silently ignored."""
    assert problems(tmp_path, "", MEDIAGATE_SERVER_PORT="1") == [
        "MEDIAGATE_SERVER_PORT: is not a setting: write `MEDIAGATE_SERVER__PORT`"
    ]


def test_variable_cannot_hide_that_a_group_is_no_table(tmp_path: Path) -> None:
    """A wrong line in the file is reported although the environment sets a key below it."""
    found = problems(tmp_path, "server = 5", MEDIAGATE_SERVER__PORT="1")

    assert found == ["mediagate.toml:1: server: must be a table"]


@pytest.mark.parametrize(
    ("url", "host", "own"),
    [
        ("http://127.0.0.1:8080", "127.0.0.1", True),
        ("http://localhost:8080", "127.0.0.1", True),
        ("http://[::1]:8080", "::1", True),
        ("http://[::ffff:127.0.0.1]:8080", "127.0.0.1", True),
        ("http://127.0.0.1:8080", "0.0.0.0", True),
        ("http://127.0.0.2:8080", "0.0.0.0", True),
        ("http://0.0.0.0:8080", "0.0.0.0", True),
        ("http://127.0.0.1:8080", "::", True),
        ("https://gate.example.org:8080", "Gate.example.org", True),
        ("http://127.0.0.2:8080", "127.0.0.1", False),
        ("http://127.0.0.1:8081", "127.0.0.1", False),
        ("http://127.0.0.1", "127.0.0.1", False),
        ("http://media:8080", "127.0.0.1", False),
        ("unix:/run/media.sock", "127.0.0.1", False),
    ],
)
def test_upstream_that_is_this_gateway_is_noticed(url: str, host: str, *, own: bool) -> None:
    """An upstream at the gateway's own address would be a loop; another address or port of the machine is none."""
    assert is_own_address(url, host, 8080) is own


# ----------------------------------------------------------------------------------------------------- secrets


def credential(text: str) -> str:
    """Returns a file whose one upstream has the credential `text`."""
    return f"{UPSTREAM}credential = {text}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{kind = "magic"}', ".kind: must be `none`, `header`, `basic` or `pass`"),
        ('{kind = "none", user = "x"}', ": `none` takes no `user`"),
        ('{kind = "pass", secret_env = "X"}', ": `pass` takes no `secret`"),
        ('{kind = "header", secret_env = "X"}', ": `header` needs `name`"),
        ('{kind = "basic", secret_env = "X"}', ": `basic` needs `user`"),
        ('{kind = "basic", user = "x", name = "y", secret_env = "X"}', ": `basic` takes no `name`"),
        ('{kind = "basic", user = "x"}', ": a secret comes from exactly one of `secret_file` and `secret_env`"),
        ('{kind = "basic", user = "x", secret_env = "X", secret_file = "x"}', ": a secret comes from exactly one of `secret_file` and `secret_env`"),
        ('{kind = "basic", user = "a:b", secret_env = "X"}', ": `user` must be printable and without a colon"),
        ('{kind = "header", name = "X Key", secret_env = "X"}', ".name: is not the name of a header"),
        ('{kind = "header", name = "Host", secret_env = "X"}', ".name: must not be a header that frames or routes the request"),
    ],
)  # fmt: skip
def test_contradictory_credential_is_refused(tmp_path: Path, text: str, said: str) -> None:
    """What a kind of credential needs and takes is checked, whether or not the gateway is about to serve."""
    assert problems(tmp_path, credential(text)) == [f"mediagate.toml:3: upstreams.media.credential{said}"]


def test_secret_comes_from_the_variable(tmp_path: Path) -> None:
    """`secret_env` names the variable that holds the secret."""
    settings = loaded(
        tmp_path, credential('{kind = "basic", user = "x", secret_env = "PW"}'), serving=True, PW="hush"
    )

    assert settings.upstreams["media"].credential.secret({"PW": "hush"}).get_secret_value() == "hush"


def test_secret_comes_from_the_file_without_its_line_end(tmp_path: Path) -> None:
    """`secret_file` names a file; one line end is not part of the secret."""
    secret = tmp_path / "pw"
    secret.write_text("hush\n")
    secret.chmod(0o640)

    settings = loaded(
        tmp_path, credential('{kind = "header", name = "X-Key", secret_file = "pw"}'), serving=True
    )

    assert settings.upstreams["media"].credential.secret().get_secret_value() == "hush"


def test_secret_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """A secret that everybody on the machine can read is none."""
    (tmp_path / "pw").write_text("hush")
    (tmp_path / "pw").chmod(0o644)

    (problem,) = problems(
        tmp_path, credential('{kind = "basic", user = "x", secret_file = "pw"}'), serving=True
    )

    assert "may be read or written by everybody: `chmod o-rw" in problem


@pytest.mark.parametrize("content", [b"", b"two\nlines", b"nul\x00", b"x" * 5000, b"\xff\xfe"])
def test_unusable_secret_is_refused(tmp_path: Path, content: bytes) -> None:
    """A secret is one line of printable characters, bounded."""
    (tmp_path / "pw").write_bytes(content)
    (tmp_path / "pw").chmod(0o600)

    (problem,) = problems(
        tmp_path, credential('{kind = "basic", user = "x", secret_file = "pw"}'), serving=True
    )

    assert problem.startswith("mediagate.toml:3: upstreams.media.credential: what `secret_file` names ")


def test_missing_sources_are_refused_when_serving(tmp_path: Path) -> None:
    """A missing variable, secret file or certificate file is found before anything starts."""
    text = """
[upstreams.a]
url = "http://a"
credential = {kind = "basic", user = "x", secret_env = "NOT_SET"}
[upstreams.b]
url = "https://b"
credential = {kind = "basic", user = "x", secret_file = "none"}
[upstreams.c]
url = "https://c"
ca_file = "ca.pem"
"""
    assert loaded(tmp_path, text).upstreams.keys() == {"a", "b", "c"}
    assert [problem.partition(": ")[2] for problem in problems(tmp_path, text, serving=True)] == [
        "upstreams.a.credential: the variable that `secret_env` names is not set",
        "upstreams.b.credential: what `secret_file` names cannot be read: no such file or directory",
        f"upstreams.c.ca_file: `{tmp_path}/ca.pem` cannot be read: no such file or directory",
    ]


def test_serving_needs_an_upstream(tmp_path: Path) -> None:
    """A gateway with nothing behind it does not start."""
    assert problems(tmp_path, "", serving=True) == [
        "mediagate.toml: upstreams: there is none: write `[upstreams.NAME]` with the `url` of a backend"
    ]


SECRET = "hunter2-hunter2"


@pytest.mark.parametrize(
    "text",
    [
        credential(f'{{kind = "basic", user = "x", secret = "{SECRET}"}}'),
        credential(f'{{kind = "basic", user = "x", password = "{SECRET}"}}'),
        credential(f'{{kind = "basic", user = "x", secret_env = "{SECRET}"}}'),
        credential(f'{{kind = "basic", user = "x", secret_file = "{SECRET}"}}'),
        credential(f'"{SECRET}"'),
        f'[upstreams.media]\nurl = "http://me:{SECRET}@127.0.0.1:9000"',
        f'[upstreams.media]\nurl = "http://x/?token={SECRET}"',
        f'[store]\nurl = "mysql://me:{SECRET}@db/facts"',
        f'[server]\nhost = "{SECRET} "',
    ],
)
def test_no_secret_is_repeated(tmp_path: Path, text: str) -> None:
    """A secret in the wrong place is in no sentence and in no traceback of the error."""
    path = written(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        Settings.load(path, environ={}, serving=True)

    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_repr_has_no_secret(tmp_path: Path) -> None:
    """Printing the settings prints neither the database's password nor a secret."""
    store = f'[store]\nurl = "postgresql://me:{SECRET}@db/facts"\n'
    basic = credential('{kind = "basic", user = "x", secret_env = "PW"}')

    settings = loaded(tmp_path, store + basic, serving=True, PW=SECRET)

    assert SECRET not in repr(settings)
    assert SECRET not in repr(settings.upstreams["media"].credential.secret({"PW": SECRET}))


# --------------------------------------------------------------------------------------- what upstreams are made of


def test_bounds_of_an_upstream_are_those_of_its_pool(tmp_path: Path) -> None:
    """What is not written has the same default here as where it is used."""
    (made,) = loaded(tmp_path, UPSTREAM).upstream_settings().values()

    assert made == UpstreamSettings(name="media", url="http://127.0.0.1:9000")


def test_upstream_gets_what_was_written(tmp_path: Path) -> None:
    """Address, host, bounds and certificate file arrive at the pool."""
    (tmp_path / "ca.pem").write_text("")
    text = """
[upstreams.media]
url = "https://media.example.org"
host = "media.internal:8443"
ca_file = "ca.pem"
max_connections = 3
queue_limit = 0
read_timeout = "2m"
max_head_bytes = "8KiB"
"""
    made = loaded(tmp_path, text, serving=True).upstream_settings()["media"]

    assert (made.name, made.url, made.host_header) == (
        "media",
        "https://media.example.org",
        "media.internal:8443",
    )
    assert (made.max_connections, made.queue_limit, made.read_timeout, made.max_head_bytes) == (
        3,
        0,
        120.0,
        8192,
    )
    assert made.ca_file == tmp_path / "ca.pem"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{kind = "none"}', Credential.none()),
        ('{kind = "pass"}', Credential.passed()),
        ('{kind = "header", name = "X-Key", secret_env = "PW"}', Credential.header("X-Key", "hush")),
        ('{kind = "basic", user = "gate", secret_env = "PW"}', Credential.basic("gate", "hush")),
    ],
)
def test_credential_is_made_from_its_kind(tmp_path: Path, text: str, shown: Credential) -> None:
    """Each kind becomes what the backend is shown."""
    made = loaded(tmp_path, credential(text), PW="hush").upstream_settings({"PW": "hush"})["media"]

    assert made.credential == shown


def test_secrets_that_vanish_are_all_reported(tmp_path: Path) -> None:
    """A worker that finds no secret says which upstreams lack theirs, and repeats nothing."""
    text = "".join(
        f'[upstreams.{name}]\nurl = "http://{name}"\ncredential = {{kind = "basic", user = "x", secret_env = "{SECRET}"}}\n'
        for name in ("a", "b")
    )
    with pytest.raises(SettingsError) as caught:
        loaded(tmp_path, text).upstream_settings({})

    assert caught.value.problems == [
        "upstreams.a.credential: the variable that `secret_env` names is not set",
        "upstreams.b.credential: the variable that `secret_env` names is not set",
    ]


@pytest.mark.parametrize("name", sorted(name.decode() for name in HOP_BY_HOP))
def test_credential_header_cannot_frame_the_request(tmp_path: Path, name: str) -> None:
    """A header that is dropped on the way, or decides where a message ends, carries no credential."""
    (problem,) = problems(
        tmp_path, credential(f'{{kind = "header", name = "{name.title()}", secret_env = "X"}}')
    )

    assert problem.endswith(".name: must not be a header that frames or routes the request")


# -------------------------------------------------------------------------------------------------- never fails


@given(st.text(max_size=60))
def test_any_text_loads_or_is_refused_with_its_place(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    """Whatever stands in the file, the answer is settings or sentences, never another exception."""
    path = tmp_path_factory.mktemp("any") / "mediagate.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    found: list[str] = []
    try:
        Settings.load(path, environ={})
    except SettingsError as error:
        found = error.problems

    assert all(problem.startswith(str(path)) for problem in found)


def test_both_listeners_on_one_port_is_noticed(tmp_path: Path) -> None:
    """The management port cannot be the server's, unless there is no such listener or each takes a free port."""
    same = "[server]\nport = 9180\n"
    (said,) = problems(tmp_path, same)

    assert "management: `port` is the one of `[server]`" in said
    assert not loaded(tmp_path, f"{same}[management]\nenabled = false\n").management.enabled
    assert loaded(tmp_path, "[server]\nport = 0\n[management]\nport = 0\n").management.port == 0


# ---------------------------------------------------------------------------------------------------- document


def test_document_lists_every_setting() -> None:
    """The rows of docs/settings.md are the catalogue: name, form, default, variable, sentence."""
    rows = re.findall(
        r"^\| `([^`]+)` \| (.+?) \| (.+?) \| `([^`]+)` \| (.+) \|$", DOCUMENT.read_text("utf-8"), re.MULTILINE
    )

    def shown(default: str) -> str:
        return default if default in ("required", "none") else f"`{default}`"

    wanted = [(each.name, each.form, shown(each.default), each.variable, each.says) for each in catalogue()]
    assert rows == wanted


def test_defaults_of_the_document_load_as_they_are_written(tmp_path: Path) -> None:
    """What the catalogue prints as a default is what the file would say."""
    lines = [
        f"{each.name} = {each.default}" for each in catalogue() if each.default not in ("required", "none")
    ]
    text = "\n".join(line for line in lines if not line.startswith("upstreams.") and "prefix" not in line)

    assert loaded(tmp_path, text) == loaded(tmp_path, "")
