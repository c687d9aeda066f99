"""Console pages about how somebody signs in: second step, passkeys, second factors, sessions; and asking again."""
