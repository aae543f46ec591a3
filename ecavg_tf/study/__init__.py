"""Studies: arms and controls over splits, starts, pools and seeds (``ecavg study``)."""
