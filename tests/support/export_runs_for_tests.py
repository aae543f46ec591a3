"""A run that exports, small enough for tests."""

from ecavg_tf.config import Config, ExportConfig, PartitionKind


def small() -> Config:
    config = Config()
    config.data.train_examples = 300
    config.data.test_examples = 100
    config.partition.kind = PartitionKind.CLASSES
    config.model.hidden_units = 16
    config.edge.epochs = config.server.epochs = 4
    config.server.pool_edges = "edge-00"
    config.export = ExportConfig(enabled=True, formats="float32,int8", latency_s=0.001)
    return config
