"""What a build process may do, enforced by the kernel. Standard library only: it runs under any toolchain."""
