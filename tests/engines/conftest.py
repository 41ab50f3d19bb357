from ..conformance.benches import bench, docker

__all__ = ["bench", "docker"]
