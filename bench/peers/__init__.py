"""What the platform is compared with: each as its own documentation would have it."""
