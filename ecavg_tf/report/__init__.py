"""What users look at after a run: tables, plots, a page, decisions in plain words."""
