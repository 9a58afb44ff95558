"""The command `mediagate`; each noun has a file.

| file | what it holds |
|---|---|
| `app` | all commands under their nouns |
| `root` | global options, exit codes, how failures are told |
| `desk` | settings, store and answer of one call |
| `naming` | users, groups and objects by the names that people type |
| `failures`, `options`, `text` | exit codes and sentences; shared arguments; tables |
| `init`, `serve`, `explain`, `policy`, `users`, `groups`, `tokens`, `objects`, `grants`, `networks`, `domains`, `identity_key` | the commands |
"""


def main() -> None:
    """Runs the command line and ends the process with its exit code."""
    from gateway.cli.app import make_app

    make_app()()
