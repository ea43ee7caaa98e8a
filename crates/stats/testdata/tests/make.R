# Base R's t.test, chisq.test, fisher.test, mcnemar.test and binom.test.
# fisher.test stops its own search for an odds ratio at 1.2e-4: `exact` solves its equations to the last digits, on log odds.
# Run: Rscript make.R
folder <- dirname(normalizePath(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))))
source(file.path(folder, "..", "write.R"))
set.seed(7)

samples <- rbind(
  data.frame(set = "ages", group = rep(c("x", "y"), c(40, 55)), value = c(round(rnorm(40, 74, 14)), round(rnorm(55, 52, 21)))),
  data.frame(set = "paired", group = rep(c("x", "y"), each = 12), value = c(rnorm(12, 0.95, 0.03), rnorm(12, 0.93, 0.05))),
  data.frame(set = "offset", group = rep(c("x", "y"), each = 20), value = c(rnorm(20, 1e6, 1), rnorm(20, 1e6 + 0.4, 2))),
  data.frame(set = "tiny", group = rep(c("x", "y"), c(2, 3)), value = c(1, 2, 4, 5.5, 7))
)
t_row <- function(t) list(t = as.numeric(t$statistic), df = as.numeric(t$parameter), p = t$p.value, low = t$conf.int[1], high = t$conf.int[2])
t_tests <- lapply(split(samples, samples$set), function(d) {
  x <- d$value[d$group == "x"]; y <- d$value[d$group == "y"]
  out <- list(welch = t_row(t.test(x, y)), student = t_row(t.test(x, y, var.equal = TRUE)), one = t_row(t.test(x)))
  if (length(x) == length(y)) out$paired <- t_row(t.test(x, y, paired = TRUE))
  out
})

tables <- data.frame(
  a = c(1975, 3, 10, 0, 7, 120, 49, 1, 15, 12, 700, 10, 400),
  b = c(1630, 1, 2, 5, 7, 80, 8, 9, 15, 13, 30, 990, 120),
  c = c(900, 1, 3, 6, 6, 100, 1, 11, 15, 13, 30, 990, 90),
  d = c(1100, 3, 15, 2, 8, 95, 42, 3, 15, 12, 700, 10, 390)
)
exact_odds <- function(m) {
  x <- m[1, 1]; marked <- sum(m[, 1]); unmarked <- sum(m[, 2]); draws <- sum(m[1, ])
  support <- max(0, draws - unmarked):min(draws, marked)
  log_null <- dhyper(support, marked, unmarked, draws, log = TRUE)
  at <- function(t) { d <- log_null + t * support; d <- exp(d - max(d)); d / sum(d) }
  solve <- function(f) exp(uniroot(f, c(-30, 30), tol = 1e-14, maxiter = 1e4)$root)
  if (x == max(support)) return(list(odds = NA, low = NA, high = NA))
  lowest <- x == min(support)
  list(
    odds = if (lowest) 0 else solve(function(t) sum(support * at(t)) - x),
    low = if (lowest) 0 else solve(function(t) sum(at(t)[support >= x]) - 0.025),
    high = solve(function(t) 0.025 - sum(at(t)[support <= x]))
  )
}
# P(T > t) + P(T = t)/2 of T = |b - c|, the mid-p by its definition.
midp <- function(b, c) {
  t <- abs(2 * 0:(b + c) - (b + c)); d <- dbinom(0:(b + c), b + c, 0.5)
  sum(d[t > abs(b - c)]) + sum(d[t == abs(b - c)]) / 2
}
two_by_two <- lapply(seq_len(nrow(tables)), function(i) {
  m <- matrix(as.numeric(tables[i, ]), 2, byrow = TRUE)
  chi <- function(correct) { t <- suppressWarnings(chisq.test(m, correct = correct)); list(statistic = as.numeric(t$statistic), p = t$p.value) }
  mc <- function(correct) { t <- mcnemar.test(m, correct = correct); list(statistic = as.numeric(t$statistic), p = t$p.value) }
  f <- fisher.test(m)
  list(
    yates = chi(TRUE), plain = chi(FALSE), mcnemar_corrected = mc(TRUE), mcnemar = mc(FALSE),
    mcnemar_exact = binom.test(m[1, 2], m[1, 2] + m[2, 1])$p.value, mcnemar_midp = midp(m[1, 2], m[2, 1]),
    fisher = list(p = f$p.value, odds = as.numeric(f$estimate), low = f$conf.int[1], high = f$conf.int[2]), exact = exact_odds(m)
  )
})
larger <- lapply(list(
  matrix(c(10, 20, 30, 25, 15, 12), 2), matrix(c(5, 9, 12, 8, 7, 20, 11, 14, 3), 3), matrix(c(100, 90, 80, 70, 85, 95, 60, 65), 4)
), function(m) { t <- chisq.test(m); list(rows = m, statistic = as.numeric(t$statistic), df = as.numeric(t$parameter), p = t$p.value) })
write_csv(samples, folder, "samples.csv")
write_csv(tables, folder, "tables.csv")
write_expected(list(t_tests = t_tests, two_by_two = two_by_two, larger = larger), folder)
