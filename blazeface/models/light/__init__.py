"""Lightweight networks around BlazeFace: classifiers, U-Net, and conversions of other networks into light ones."""
