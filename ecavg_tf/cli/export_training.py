"""``ecavg export --trainable``."""

import shlex
from pathlib import Path

from absl import flags

from ecavg_tf.cli.export_checks import check_source
from ecavg_tf.config.checks import one_of
from ecavg_tf.core.errors import ConfigError
from ecavg_tf.core.table import LABEL


def export_training_file(source: Path, values: flags.FlagValues) -> int:
    """Checks the flags that go with ``--trainable``, makes the file, prints how to use it."""
    from ecavg_tf.core.bundles.training_bundle import TRAINABLE, read_training_bundle
    from export.delivering.signing import load_private_key, sign

    one_of("--trainable", values["trainable"].value, TRAINABLE)
    others = ("state", "edge", "formats", "target", "flash", "ram", "value-range")
    for name in (*others, "accept-unproved"):
        if values[name].present:
            raise ConfigError(
                f"--{name} does not go with --trainable, which makes one file of the global model "
                "(or of a .keras file): leave it out"
            )
    check_source(source)
    key_file = values["sign"].value
    key = load_private_key(key_file) if key_file else None

    from ecavg_tf.plugins import find_users_modules
    from ecavg_tf.quiet import import_tensorflow

    import_tensorflow()
    find_users_modules()
    from ecavg_tf.live import PlainLines
    from export.jobs.training import export_training

    path = export_training(
        source,
        trainable=values["trainable"].value,
        optimizer=values["optimizer"].value,
        momentum=values["momentum"].value,
        batch_size=values["batch-size"].value or 0,
        data=values["data"].value,
        label_column=values["label-column"].value or LABEL,
        out=values["out"].value,
        listener=PlainLines(),
        fresh=key is not None,
    )
    if key is not None:
        sign(path, key)
    print(f"{path} trains as Keras does, with {read_training_bundle(path).info.optimizer.words}:")
    bundle = shlex.quote(str(path))
    print(f"  python -m edge train --edge=NAME --bundle={bundle} --data=MINE.npz --state=DIR")
    return 0
