"""Whole screens: each composes widgets and turns keys into messages."""
