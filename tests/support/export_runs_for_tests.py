"""A run that exports, small enough for tests."""

from ecavg_tf.config import Config, ExportConfig, PartitionKind


def small() -> Config:
    config = Config()
    config.data.train_examples = 300
    config.data.test_examples = 359
    config.partition.kind = PartitionKind.CLASSES
    config.model.hidden_units = 16
    config.edge.epochs = config.server.epochs = 4
    config.server.pool_edges = "edge-00"
    config.export = ExportConfig(enabled=True, formats="float32,int8", latency_s=0.001)
    config.export.calibration_examples = 60  # the others prove int8
    config.export.max_accuracy_loss = 0.05  # which 179 test examples can show
    return config
