"""Deciding: which model an edge deploys."""
