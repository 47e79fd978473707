"""Is no Python."""

def build_model(spec):
    return (
