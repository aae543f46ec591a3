"""The paper's CIFAR-100 task with ResNet50: two class-disjoint edges, 5,000 examples.

    ecavg run --config=configs/cifar100_resnet50.py --workdir=runs/cifar100

Time seen: 15 minutes of training on two shared CPU cores. Result seen (seed 0): global model
7.1 %; own accuracy local 12.2 and 11.4 %, after the update 6.6 and 7.6 %. (With oneDNN's
kernels, which a run of ResNet50 turns on.)
"""

from ecavg_tf.config import Config, PartitionKind


def get_config() -> Config:
    """CIFAR-100 through TFDS; set TFDS_DATA_DIR where it is prepared already."""
    config = Config()
    config.data.name = "cifar100"
    config.data.train_examples = 5_000
    config.model.name = "resnet50"
    config.partition.kind = PartitionKind.CLASSES
    config.edge.epochs = 5
    config.server.epochs = 5
    config.edge.batch_size = 64
    config.server.batch_size = 64
    return config
