"""``ecavg demo``."""

from collections.abc import Sequence

from absl import flags

from ecavg_tf.cli.config_flag import parse
from ecavg_tf.core.errors import ConfigError
from ecavg_tf.core.paths import user_path

HELP = """\
ecavg demo BUNDLE_OR_FOLDER … [--port=8000]

Serves a web page that runs the bundles' models in the browser: draw or pick a picture, use
the camera, or paste rows of numbers. The page replays the golden examples of each bundle and
says whether this browser computes what was exported.

  --port  of the address; default: one that is free

Only this machine can open the address. Ctrl-C ends it. 'ecavg export … --target=web' writes
the same page into a folder, for any web server.
"""


def main(argv: Sequence[str]) -> int:
    """Parses, serves until Ctrl-C."""
    if "--help" in argv or "-h" in argv:
        print(HELP, end="")
        return 0
    values = flags.FlagValues()
    port = flags.DEFINE_integer("port", 0, "of the address", 0, 65535, flag_values=values)
    given = [user_path(path) for path in parse(values, argv)]
    if not given:
        raise ConfigError("give a bundle, or a folder of bundles; none came")

    from export.web.contents import bundles_in, offered, page_contents
    from export.web.server import PageServer

    models = offered(bundles_in(given))
    with PageServer(page_contents(models), port.value) as server:
        count = f"{len(models)} bundle{'s' if len(models) > 1 else ''}"
        print(f"{count} at {server.address} (Ctrl-C ends it)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt as error:
            from ecavg_tf.core.commands import Stopped, interrupted_code

            print()
            return interrupted_code(error) if isinstance(error, Stopped) else 0
    return 0
