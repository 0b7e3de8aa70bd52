"""Predicted against measured side effects."""
