# Calibration: base R's glm; Brier score, ECE and its parts written out; temperature as a logistic regression without intercept.
# Run: Rscript make.R
folder <- dirname(normalizePath(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))))
source(file.path(folder, "..", "write.R"))
set.seed(11)

make <- function(set, n, intercept, slope, digits = NA) {
  logit <- rnorm(n, -0.5, 2)
  p <- plogis(logit)
  if (!is.na(digits)) p <- pmin(pmax(round(p, digits), 10^-digits), 1 - 10^-digits)
  data.frame(set = set, p = p, truth = rbinom(n, 1, plogis(intercept + slope * qlogis(p))))
}
data <- rbind(
  make("good", 300, 0, 1), make("overconfident", 200, 0.3, 0.5), make("rounded", 150, -0.5, 1.2, digits = 1), make("small", 25, 0, 1),
  make("large", 3000, 0.2, 0.8, digits = 3)
)
# glm stops on the deviance, which leaves the coefficients and their errors at half its digits: Newton steps finish the work.
polished <- function(x, y, offset = 0) {
  fit <- glm(y ~ 0 + x, binomial, offset = rep_len(offset, length(y)))
  beta <- coef(fit)
  for (i in 1:6) {
    p <- plogis(offset + drop(x %*% beta))
    information <- crossprod(x * sqrt(p * (1 - p)))
    beta <- beta + solve(information, crossprod(x, y - p))[, 1]
  }
  stopifnot(max(abs(beta - coef(fit))) < 1e-5)
  list(beta = unname(beta), se = unname(sqrt(diag(solve(information)))))
}
estimate <- function(fit, i) {
  value <- fit$beta[i]; se <- fit$se[i]
  list(value = value, low = value - qnorm(0.975) * se, high = value + qnorm(0.975) * se)
}
rows <- lapply(split(data, data$set), function(d) {
  x <- qlogis(d$p); y <- d$truth; n <- nrow(d)
  line <- polished(cbind(1, x), y)
  large <- polished(matrix(1, n, 1), y, offset = x)
  scale <- polished(matrix(x), y)
  beta <- scale$beta; se <- scale$se
  bin <- pmin(floor(d$p * 10), 9)
  gap <- abs(tapply(d$p, bin, sum) - tapply(y, bin, sum))
  logs <- -ifelse(y == 1, log(d$p), log1p(-d$p))
  squares <- (d$p - y)^2
  mean_row <- function(v) list(value = mean(v), low = mean(v) - qnorm(0.975) * sd(v) / sqrt(n), high = mean(v) + qnorm(0.975) * sd(v) / sqrt(n))
  list(
    intercept = estimate(line, 1), slope = estimate(line, 2), in_the_large = estimate(large, 1),
    temperature = list(value = 1 / beta, low = 1 / (beta + qnorm(0.975) * se), high = 1 / (beta - qnorm(0.975) * se)),
    brier = mean_row(squares), log_loss = mean_row(logs), ece = sum(gap) / n,
    reliability = sum(table(bin) * (tapply(d$p, bin, mean) - tapply(y, bin, mean))^2) / n,
    resolution = sum(table(bin) * (tapply(y, bin, mean) - mean(y))^2) / n
  )
})
write_csv(data, folder, "predictions.csv")
write_expected(rows, folder)
