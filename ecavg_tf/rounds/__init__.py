"""The round's loop, and the fleets that it can run on."""

from ecavg_tf.ownership import check_packages

check_packages()  # a script's folder may hold a server.py of its own, which imports would find
