"""Backbones: images in, pooled features out; every architecture behind one function."""

from shared.backbones.build import Backbone, build_backbone

__all__ = ["Backbone", "build_backbone"]
