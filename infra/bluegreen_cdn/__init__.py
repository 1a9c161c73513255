"""Blue/green distribution of web assets through CloudFront, with a rehearsal on your own machine."""
