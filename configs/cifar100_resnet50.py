"""The paper's CIFAR-100 task with ResNet50: two class-disjoint edges, 5,000 images.

ecavg run --config=configs/cifar100_resnet50.py --workdir=runs/cifar100
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
