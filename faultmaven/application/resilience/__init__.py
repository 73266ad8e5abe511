"""State between calls: admission, circuit breakers, rate and concurrency limits, retry budgets."""
