from .benches import bench, docker

__all__ = ["bench", "docker"]
