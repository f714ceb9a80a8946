"""The commands, one file each: flags in, a call into the package, an exit status out."""
