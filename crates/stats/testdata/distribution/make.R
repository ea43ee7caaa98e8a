# Distribution functions and quantiles of base R.
# Run: Rscript make.R
folder <- dirname(normalizePath(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))))
source(file.path(folder, "..", "write.R"))

rows <- list()
add <- function(f, args, value) rows[[length(rows) + 1]] <<- list(f = f, args = I(args), value = value)
probs <- c(1e-15, 1e-8, 0.0005, 0.005, 0.025, 0.05, 0.2, 0.5, 0.7, 0.95, 0.975, 0.995, 0.9999)
for (p in probs) add("normal_quantile", p, qnorm(p))
for (z in c(-30, -12, -6.5, -1.96, -0.3, 0, 0.3, 2.5, 5)) add("normal_cdf", z, pnorm(z))
shapes <- list(c(0.5, 0.5), c(1, 50), c(49, 2), c(50, 1), c(3.5, 0.5), c(670, 75), c(0.5, 100.5), c(1200, 90000), c(50001, 50000), c(1, 99999))
for (s in shapes) {
  for (p in c(1e-6, 0.005, 0.025, 0.3, 0.5, 0.9, 0.975, 0.995)) add("beta_quantile", c(p, s), qbeta(p, s[1], s[2]))
  # A round argument a little off the quantile, as tests meet it.
  for (p in c(1e-6, 0.025, 0.6, 0.975)) {
    x <- signif(qbeta(p, s[1], s[2]), 4)
    if (x > 0 && x < 1) add("beta_cdf", c(x, s), pbeta(x, s[1], s[2]))
  }
}
for (df in c(1, 2, 3.7, 15.06611, 49, 111.3, 5000, 1e6)) {
  for (p in c(1e-8, 0.005, 0.025, 0.4, 0.6, 0.95, 0.975)) add("t_quantile", c(p, df), qt(p, df))
  for (t in c(-40, -5, -1.5, -0.01, 0.2, 2.2, 4)) add("t_cdf", c(t, df), pt(t, df))
}
for (df in 1:12) for (x in c(0.001, 0.4, 1, 3.841458820694124, 10, 55, 300)) {
  add("chi_square_sf", c(x, df), pchisq(x, df, lower.tail = FALSE))
}
for (df2 in c(4, 15.06611, 333.5)) for (df1 in c(1, 2, 5)) for (x in c(0.1, 1, 4.484854, 30)) {
  add("f_sf", c(x, df1, df2), pf(x, df1, df2, lower.tail = FALSE))
}
for (n in c(5, 40, 1001, 100000)) for (q in c(0.01, 0.2, 0.48, 0.5, 0.7)) {
  k <- floor(n * q)
  add("binomial_cdf", c(k, n, 0.5), pbinom(k, n, 0.5))
  add("binomial_pmf", c(k, n, 0.5), dbinom(k, n, 0.5))
}
for (h in list(c(2, 3, 4, 4), c(10, 40, 60, 30), c(300, 1000, 3000, 900), c(0, 5, 9, 3), c(5, 5, 9, 8))) {
  add("hypergeometric_pmf", h, dhyper(h[1], h[2], h[3], h[4]))
}
write_expected(rows, folder)
