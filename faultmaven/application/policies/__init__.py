"""Every value that a host may tune: errors, answers, circuit breaker, retries."""
