"""Exported models that answer: many clients' heads behind one backbone, switched without a call that fails."""

from edge.serving.answers import Answers
from edge.serving.predictor import Predictor

__all__ = ["Answers", "Predictor"]
