"""What is computed: losses, objectives, the two solvers and the certificate; no file, format or screen."""
