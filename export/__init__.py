"""From heads and backbone to ONNX files that were proven to compute the same."""
