"""Trials that take minutes or hours: wrong input by the hundred thousand, kills, an hour before a bad camera."""
