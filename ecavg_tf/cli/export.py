"""``ecavg export``."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from absl import flags

from ecavg_tf.cli.config_flag import parse
from ecavg_tf.cli.export_checks import check_source, gives_logits, range_of
from ecavg_tf.config.checks import one_of
from ecavg_tf.core.errors import ConfigError
from ecavg_tf.core.exports import Exported
from ecavg_tf.core.paths import user_path
from ecavg_tf.core.table import LABEL

HELP = """\
ecavg export RUN [--formats=float32,float16,dynamic,int8] [--edge=edge-00,global] [--out=DIR]
ecavg export MODEL.keras --data=NAME [--formats=…] [--out=DIR]
ecavg export --state=DIR [--edge=north] [--formats=…] [--data=FILE] [--out=DIR]
ecavg export RUN --target=micro [--flash=1M --ram=256K]
ecavg export RUN --target=micro --trainable=head [--batch-size=16]
ecavg export RUN --target=web --out=DIR
ecavg export RUN --trainable=head|dense [--optimizer=sgd --momentum=0.9] [--batch-size=32]
ecavg export --verify=PUBLIC.pem BUNDLE_OR_FOLDER

Makes .tflite files, compares each with its Keras model on real examples, and keeps aside
those that differ (NAME.failed-gate.tflite, exit code 8), and those of which too few examples
show that they don't (NAME.unproved.tflite, exit code 9).

  --formats  which, separated by commas; default: all four
  --edge     of a run: whose models ('global': the server's); default: all
  --out      where to; default: RUN/exports, DIR/exports, or MODEL-export beside the file
  --state    the folder that 'ecavg edge --data=…' was given: exports what its edges accepted
             last, calibrated and compared on their own data (--data if it has moved)
  --data     for a .keras file: its inputs and labels, as data.name of a config: an .npz
             with x_train y_train x_test y_test, a .csv, a TFDS name, a folder, pkg.module:function.
             int8 is calibrated on the training examples, files are compared on the test
             examples. Without it only float32 and float16 are made, compared on random
             inputs in --value-range.
  --value-range  for a .keras file without --data: lowest and highest value; default: 0,255
  --label-column  of a .csv file as --data: the column with the labels; default: label
  --output   for a .keras file: probabilities (default), or logits, as --logits says, too;
             answers that do not sum to 1 are refused as probabilities. Models that are no
             classifiers: export.to_tflite(model, …, output='values') from Python
  --accept-unproved  also delivers files of which too few examples show that they keep to the
             limits (export.accept_unproved of a run); their bundles say 'undecided'
  --target=micro  also runs the int8 files in tflite-micro (extra 'micro') and writes C++
             sources; with --flash=1M --ram=256K says whether they fit a board; with
             --trainable=head makes an int8 backbone, a file that trains the head, and sources
             for both, of the global model or a .keras file; --batch-size: examples a step
  --target=web  also writes a page into --out that runs the models in a browser, for any web
             server; of a run with the edges' local models beside the accepted ones. 'ecavg demo'
             serves such a page on this machine
  --trainable  makes a file that a device trains without TensorFlow (python -m edge train), of
             the global model or a .keras file: its head (the last layer), or all dense layers
             at the model's end (flags for other files are refused with it); --optimizer
             is sgd or adam (default: the run's edge.optimizer), --momentum goes with sgd;
             --batch-size is the most examples in a step (default: the run's edge.batch_size)
  --sign     an Ed25519 private key (PEM): makes every file again, even if it is there, and
             signs bundles, float32-batch.tflite and, with --target=micro, the C++ sources; in
             RUN/exports also bundles of --trainable; the signature is FILE.sig
  --verify   an Ed25519 public key (PEM): checks the signature and the hashes of all these,
             says where each model comes from, and refuses a plain .tflite file that is not
             the model in the bundle beside it

Hashes in a bundle show damage; only a signature shows who made it.
"""


@dataclass(frozen=True)
class Options:
    """What the flags say."""

    formats: str
    edges: tuple[str, ...]
    out: str
    data: str
    value_range: tuple[float, float]
    logits: bool
    accept_unproved: bool
    sign: str
    micro: bool
    flash: str
    ram: str
    state: bool
    label_column: str
    page: str | None


def main(argv: Sequence[str]) -> int:
    """Parses, exports or verifies, prints."""
    if "--help" in argv or "-h" in argv:
        print(HELP, end="")
        return 0
    values = flags.FlagValues()
    for name in (
        *("formats", "out", "data", "output", "sign", "verify", "target", "flash", "ram"),
        *("trainable", "optimizer", "state", "label-column"),
    ):
        flags.DEFINE_string(name, "", name, flag_values=values)
    flags.DEFINE_float("momentum", 0.0, "of sgd", flag_values=values)
    flags.DEFINE_integer("batch-size", None, "of steps", 1, 65536, flag_values=values)
    flags.DEFINE_list("edge", [], "whose models", flag_values=values)
    flags.DEFINE_list("value-range", ["0", "255"], "values", flag_values=values)
    flags.DEFINE_bool("logits", False, "whether the model gives logits", flag_values=values)
    flags.DEFINE_bool("accept-unproved", False, "deliver them, too", flag_values=values)
    sources = [*parse(values, argv), *filter(None, [values["state"].value])]
    if len(sources) != 1:
        raise ConfigError(
            f"give one run directory or .keras file, or --state=DIR; {len(sources)} came"
        )
    source = user_path(sources[0])
    if values["verify"].value:
        from ecavg_tf.cli.export_verify import verify_all

        return verify_all(source, values["verify"].value)
    if values["trainable"].value and values["target"].value == "micro":
        from ecavg_tf.cli.export_micro_head import export_micro_head_files

        return export_micro_head_files(source, values)
    if values["trainable"].value:
        from ecavg_tf.cli.export_training import export_training_file

        return export_training_file(source, values)
    if values["batch-size"].present:
        raise ConfigError("--batch-size goes with --trainable")
    target = values["target"].value
    if target:
        one_of("--target", target, ("micro", "web"))
    micro, web = target == "micro", target == "web"
    options = Options(
        formats=values["formats"].value or ("int8" if micro else ""),
        edges=tuple(values["edge"].value),
        out="" if web else values["out"].value,
        data=values["data"].value,
        value_range=range_of(values["value-range"].value),
        logits=gives_logits(values["output"].value, logits=values["logits"].value),
        accept_unproved=values["accept-unproved"].value,
        sign=values["sign"].value,
        micro=micro,
        flash=values["flash"].value,
        ram=values["ram"].value,
        state=bool(values["state"].value),
        label_column=values["label-column"].value,
        page=values["out"].value if web else None,
    )
    return _export(source, options)


def _export(source: Path, options: Options) -> int:
    from export.delivering.signing import load_private_key, sign
    from export.making.formats import parse_formats

    if options.formats:
        parse_formats(options.formats)
    if options.micro:
        from ecavg_tf.cli.export_micro import check_flags

        check_flags(options.formats, options.flash, options.ram)
    elif options.flash or options.ram:
        raise ConfigError("--flash and --ram go with --target=micro")
    if options.page is not None:
        from ecavg_tf.cli.export_web import page_folder

        page = page_folder(options.page)
    if not options.state:
        check_source(source, options.edges)
    key = load_private_key(options.sign) if options.sign else None  # before minutes of work

    from ecavg_tf.plugins import find_users_modules
    from ecavg_tf.quiet import import_tensorflow

    import_tensorflow(run=source)
    find_users_modules()
    from ecavg_tf.cli.output import print_exports
    from ecavg_tf.live import PlainLines
    from export.jobs.run import raise_if_failed
    from export.jobs.training import training_made_again

    exports, folder = _make(source, options)
    if key is not None:
        for row in exports:
            delivered = row.bundle or (None if row.failed else row.file)
            if delivered is not None:  # float32-batch has no bundle
                sign(folder / delivered, key)
        if not options.micro:
            _tell_unsigned(folder, {row.model for row in exports})
        if source.suffix != ".keras" and not options.out and not options.state:
            for path in training_made_again(source, PlainLines()):
                sign(path, key)
    print_exports(exports)
    print(f"Files and bundles are in {folder}.")
    if options.micro:
        from ecavg_tf.cli.export_micro import for_micro

        for_micro(exports, folder, options.flash, options.ram, key)
    if options.page is not None:
        from ecavg_tf.cli.export_web import for_web

        for_web(exports, source, folder, page)
    raise_if_failed(exports)
    return 0


def _tell_unsigned(folder: Path, models: Collection[str]) -> None:
    from export.micro.manifest import DATA

    for model in sorted(models):
        if (folder / model / "micro" / DATA).exists():
            place = folder / model / "micro"
            print(f"{place}: the sources there are not signed again; --target=micro does that")


def _make(source: Path, options: Options) -> tuple[tuple[Exported, ...], Path]:
    """What was exported, and the folder it is in."""
    from ecavg_tf.live import PlainLines, listener
    from export.jobs.keras_file import export_file
    from export.jobs.run import FOLDER, export_run

    if options.state:
        from ecavg_tf.rounds.joined_export import export_state

        with listener() as listening:
            made = export_state(
                source,
                options.edges,
                formats=options.formats,
                data=options.data,
                label_column=options.label_column,
                out=options.out,
                accept_unproved=options.accept_unproved,
                listener=listening,
                fresh=bool(options.sign),
            )
        return made, user_path(options.out or source / FOLDER)
    if source.suffix == ".keras":
        folder = user_path(options.out or source.with_name(source.stem + "-export"))
        made = export_file(
            source,
            folder,
            formats=options.formats,
            data=options.data,
            label_column=options.label_column or LABEL,
            value_range=options.value_range,
            logits=options.logits,
            accept_unproved=options.accept_unproved,
            listener=PlainLines(),
            fresh=bool(options.sign),
        )
        return made, folder
    with listener() as listening:
        made = export_run(
            source,
            formats=options.formats,
            edges=options.edges,
            out=options.out,
            accept_unproved=options.accept_unproved,
            listener=listening,
            fresh=bool(options.sign),
            local=options.page is not None,
        )
    return made, user_path(options.out or source / FOLDER)
