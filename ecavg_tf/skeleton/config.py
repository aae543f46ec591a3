"""My run: what it trains, on which data, for how long.

    ecavg run --config=config.py --workdir=runs/first

Every line below can also be given on the command line, for example --config.edge.epochs=10.
'ecavg run --help' lists all fields.
"""

from ecavg_tf.config import Config, PartitionKind


def get_config() -> Config:
    """The fields that most people change; the others keep their defaults."""
    config = Config()
    config.seed = 0  # the same seed on the same machine gives the same weights
    config.rounds = 1  # how often edges train and the server averages and fine-tunes

    # The data: the function data() of mine.py. Other choices are a name of TensorFlow Datasets
    # ("mnist"), and a folder with a file (.npz, .csv) or a picture folder for every edge.
    config.data.name = "mine:data"

    # Who has which part of it. With data by edge in a folder, leave these lines out.
    config.partition.num_edges = 4
    config.partition.kind = PartitionKind.DIRICHLET  # or IID, CLASSES, SHARDS
    config.partition.alpha = 0.5  # small: the edges' classes differ much

    # The model: the function model() of mine.py. Other choices are a file of yours
    # (config.model.init = "start.keras") and the names that 'ecavg run --help' tells.
    config.model.name = "mine:model"

    # Training on the edges, and fine-tuning on the server.
    config.edge.epochs = 5
    config.edge.batch_size = 32
    config.edge.learning_rate = 1e-3
    config.server.epochs = 5
    config.server.pool = True  # the edges also send their data to the server; False: weights only

    # Files for phones and small computers at the end of the run.
    config.export.enabled = True
    config.export.formats = "float32,int8"
    return config
