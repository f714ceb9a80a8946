"""WIDER FACE's own protocol: easy, medium and hard AP, and the files it reads."""
