# 2×2 tables: epiR's epi.tests (exact and Wilson), and delta-method variances of F1 and MCC by R's symbolic derivatives.
# Run: Rscript make.R
folder <- dirname(normalizePath(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))))
source(file.path(folder, "..", "write.R"))
suppressMessages(library(epiR))

tables <- data.frame(
  tp = c(49, 670, 10, 3, 900, 40, 25),
  fp = c(8, 202, 20, 400, 2, 40, 1),
  fn = c(1, 74, 5, 1, 100, 40, 24),
  tn = c(42, 640, 30, 9000, 12, 40, 50)
)
f1 <- deriv(~ 2 * a / (2 * a + b + c), c("a", "b", "c", "d"))
mcc <- deriv(~ (a * d - b * c) / sqrt((a + b) * (a + c) * (d + b) * (d + c)), c("a", "b", "c", "d"))
wald <- function(expression, a, b, c, d) {
  n <- a + b + c + d
  p <- c(a, b, c, d) / n
  a <- p[1]; b <- p[2]; c <- p[3]; d <- p[4]
  value <- eval(expression)
  g <- attr(value, "gradient")[1, ]
  se <- sqrt((sum(p * g^2) - sum(p * g)^2) / n)
  list(value = as.numeric(value), low = as.numeric(value) - qnorm(0.975) * se, high = as.numeric(value) + qnorm(0.975) * se)
}
rows <- lapply(seq_len(nrow(tables)), function(i) {
  x <- tables[i, ]
  detail <- function(method) {
    d <- epi.tests(c(x$tp, x$fp, x$fn, x$tn), method = method, digits = 4)$detail
    setNames(lapply(seq_len(nrow(d)), function(j) list(value = d$est[j], low = d$lower[j], high = d$upper[j])), as.character(d$statistic))
  }
  list(
    exact = detail("exact"), wilson = detail("wilson"),
    f1 = wald(f1, x$tp, x$fp, x$fn, x$tn), mcc = wald(mcc, x$tp, x$fp, x$fn, x$tn)
  )
})
write_csv(tables, folder, "tables.csv")
write_expected(rows, folder)
