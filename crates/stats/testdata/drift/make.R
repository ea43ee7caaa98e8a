# Drift: base R's ks.test, exact and asymptotic; the population stability index, its delta-method interval and chi-square test written out;
# quantiles (type 7) with the interval of order statistics.
# Run: Rscript make.R
folder <- dirname(normalizePath(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))))
source(file.path(folder, "..", "write.R"))
set.seed(23)

make <- function(set, reference, current) {
  data.frame(set = set, sample = rep(c("reference", "current"), c(length(reference), length(current))), value = c(reference, current))
}
data <- rbind(
  make("same", rnorm(400), rnorm(300)),
  make("shifted", rnorm(500, -1, 2), rnorm(250, -0.3, 2)),
  make("rounded", round(rnorm(300), 1), round(rnorm(200, 0.1), 1)),
  make("small", rnorm(60), rnorm(70, 0.4)),
  make("small_rounded", round(rnorm(60), 1), round(rnorm(55, 0.3), 1)),
  make("apart", runif(80), runif(60, 0.9, 2))
)
psi <- function(x, y, bins = 10) {
  edges <- unique(quantile(x, (1:(bins - 1)) / bins, type = 7, names = FALSE))
  # A value at an edge belongs above it.
  counted <- function(v) tabulate(findInterval(v, edges) + 1, length(edges) + 1)
  cx <- counted(x); cy <- counted(y); b <- length(cx); n <- length(x); m <- length(y)
  e <- (cx + 0.5) / (n + b / 2); a <- (cy + 0.5) / (m + b / 2)
  value <- sum((a - e) * log(a / e))
  ga <- log(a / e) + 1 - e / a; ge <- log(e / a) + 1 - a / e
  v <- (sum(a * ga^2) - sum(a * ga)^2) / m + (sum(e * ge^2) - sum(e * ge)^2) / n
  half <- qnorm(0.975) * sqrt(v)
  list(reference = I(cx), current = I(cy), value = value, low = max(0, value - half), high = value + half,
       p = pchisq(value / (1 / n + 1 / m), b - 1, lower.tail = FALSE), by_chance = (b - 1) * (1 / n + 1 / m))
}
order_interval <- function(v, p) {
  v <- sort(v); n <- length(v); l <- qbinom(0.025, n, p); u <- qbinom(0.975, n, p) + 1
  list(value = quantile(v, p, type = 7, names = FALSE), low = if (l < 1 || u > n) NA else v[l], high = if (l < 1 || u > n) NA else v[u])
}
# Kolmogorov's distribution: ks.test ends its series early.
kolmogorov <- function(x) { k <- 1:200; if (x < 1) 1 - sqrt(2 * pi) / x * sum(exp(-((2 * k - 1) * pi / x)^2 / 8)) else 2 * sum((-1)^(k - 1) * exp(-2 * k^2 * x^2)) }
rows <- lapply(split(data, data$set), function(d) {
  x <- d$value[d$sample == "reference"]; y <- d$value[d$sample == "current"]
  n <- length(x); m <- length(y)
  points <- sort(unique(c(x, y))); f <- ecdf(x)(points); g <- ecdf(y)(points)
  # Sums of 1/n differ in their last digits: the first of those that are greatest within rounding.
  i <- which(abs(f - g) > max(abs(f - g)) - 1e-9)[1]; distance <- abs(f[i] - g[i])
  half <- qnorm(0.975) * sqrt(f[i] * (1 - f[i]) / n + g[i] * (1 - g[i]) / m)
  test <- function(exact) suppressWarnings(ks.test(x, y, exact = exact))
  limit <- kolmogorov(sqrt(n * m / (n + m)) * distance)
  stopifnot(abs(test(FALSE)$statistic - distance) < 1e-12, abs(test(FALSE)$p.value - limit) < 1e-4)
  list(distance = distance, at = points[i], low = max(0, distance - half), high = min(1, distance + half),
       asymptotic = limit, exact = if (n * m < 10000) test(TRUE)$p.value else NA,
       psi = psi(x, y), median = order_interval(y, 0.5), ninth = order_interval(y, 0.9))
})
write_csv(data, folder, "samples.csv")
write_expected(rows, folder)
