"""Backbones: images in, pooled features out; every architecture behind one function."""

from shared.backbones.build import Backbone, build_backbone
from shared.backbones.loaded import loaded_backbone

__all__ = ["Backbone", "build_backbone", "loaded_backbone"]
