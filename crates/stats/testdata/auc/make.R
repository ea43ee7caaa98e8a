# ROC curves: pROC's areas, DeLong variances, intervals and tests, partial areas and coordinates; Obuchowski's clustered variance
# written out naively from the paper's formulas.
# Run: Rscript make.R
folder <- dirname(normalizePath(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))))
source(file.path(folder, "..", "write.R"))
suppressMessages(library(pROC))
set.seed(20190101)

make <- function(set, cases, controls, shift, digits = NA, cluster = 1) {
  n <- cases + controls
  truth <- rep(c(1L, 0L), c(cases, controls))
  common <- rnorm(n)
  a <- truth * shift + 0.7 * common + rnorm(n)
  b <- truth * shift * 0.7 + 0.7 * common + rnorm(n)
  if (!is.na(digits)) { a <- round(a, digits); b <- round(b, digits) }
  order <- sample(n)
  data.frame(set = set, a = a, b = b, truth = truth, cluster = (seq_len(n) - 1) %/% cluster)[order, ]
}
data <- rbind(
  make("continuous", 40, 60, 1),
  make("ties", 50, 50, 1, digits = 0),
  make("imbalance", 5, 300, 1.5, digits = 1),
  make("two_each", 2, 2, 0.5),
  make("below_half", 30, 45, -1),
  make("large", 700, 1500, 1.2, digits = 2, cluster = 3),
  make("clusters", 60, 90, 1, digits = 1, cluster = 4),
  data.frame(set = "separated", a = c(1, 2, 3, 4, 5, 6), b = c(1, 4, 2, 3, 6, 5), truth = c(0, 0, 0, 1, 1, 1), cluster = 0:5),
  data.frame(set = "constant", a = rep(0.5, 6), b = c(1, 4, 2, 3, 6, 5), truth = c(0, 0, 0, 1, 1, 1), cluster = 0:5),
  data.frame(set = "one_case", a = c(0.1, 0.5, 0.4, 0.4), b = c(0.1, 0.2, 0.3, 0.4), truth = c(0, 0, 1, 0), cluster = 0:3)
)
curve <- function(x, truth) roc(truth, x, levels = c(0, 1), direction = "<", quiet = TRUE)

# Obuchowski (1997), Biometrics 53: 567-578, by comparing every case with every control.
clustered <- function(x, truth, cluster) {
  psi <- outer(x[truth == 1], x[truth == 0], function(p, q) (p > q) + 0.5 * (p == q))
  m <- nrow(psi); n <- ncol(psi); theta <- mean(psi)
  all <- factor(cluster)
  X <- tapply(rowMeans(psi) - theta, all[truth == 1], sum)
  Y <- tapply(colMeans(psi) - theta, all[truth == 0], sum)
  both <- length(levels(all))
  i10 <- sum(!is.na(X)); i01 <- sum(!is.na(Y))
  X[is.na(X)] <- 0; Y[is.na(Y)] <- 0
  s10 <- i10 / ((i10 - 1) * m) * sum(X^2)
  s01 <- i01 / ((i01 - 1) * n) * sum(Y^2)
  s11 <- both / (both - 1) * sum(X * Y)
  s10 / m + s01 / n + 2 * s11 / (m * n)
}

sets <- list()
for (set in unique(data$set)) {
  d <- data[data$set == set, ]
  ra <- curve(d$a, d$truth); rb <- curve(d$b, d$truth)
  out <- list(auc_a = as.numeric(auc(ra)), auc_b = as.numeric(auc(rb)))
  if (sum(d$truth) > 1) {
    interval <- suppressWarnings(as.numeric(ci.auc(ra, method = "delong")))
    out$variance <- suppressWarnings(var(ra, method = "delong"))
    out$low <- interval[1]; out$high <- interval[3]
    test <- suppressWarnings(roc.test(ra, rb, method = "delong", paired = TRUE))
    out$paired <- list(z = as.numeric(test$statistic), p = test$p.value, low = test$conf.int[1], high = test$conf.int[2])
    test <- suppressWarnings(roc.test(ra, rb, method = "delong", paired = FALSE))
    out$unpaired <- list(t = as.numeric(test$statistic), df = as.numeric(test$parameter), p = test$p.value)
    out$clustered <- clustered(d$a, d$truth, d$cluster)
  }
  part <- function(...) suppressWarnings(as.numeric(auc(ra, ...)))
  ranges <- list(c(0.8, 1), c(0.9, 1), c(0.5, 0.75), c(0.42, 0.43), c(0, 1))
  out$partial <- lapply(ranges, function(r) list(
    from = r[1], to = r[2],
    specificity = part(partial.auc = r), specificity_corrected = part(partial.auc = r, partial.auc.correct = TRUE),
    sensitivity = part(partial.auc = r, partial.auc.focus = "se"),
    sensitivity_corrected = part(partial.auc = r, partial.auc.focus = "se", partial.auc.correct = TRUE)
  ))
  at <- c(0, 0.1, 0.25, 0.5, 0.8, 0.9, 0.95, 1)
  out$at <- lapply(at, function(x) list(
    x = x,
    sensitivity = coords(ra, x, input = "specificity", ret = "sensitivity")[[1]],
    specificity = coords(ra, x, input = "sensitivity", ret = "specificity")[[1]]
  ))
  if (nrow(d) <= 120) {
    inner <- is.finite(ra$thresholds)
    out$curve <- list(thresholds = I(ra$thresholds[inner]), sensitivities = I(ra$sensitivities), specificities = I(ra$specificities))
  }
  youden <- coords(ra, "best", best.method = "youden", ret = c("threshold", "sensitivity", "specificity"), transpose = FALSE)
  # Of equals, the most sensitive.
  youden <- youden[order(youden$threshold), ][1, ]
  if (is.finite(youden$threshold)) out$youden <- as.list(youden)
  sets[[set]] <- out
}

# The bootstrap draws other random numbers than ours: these are checked within Monte Carlo error.
d <- data[data$set == "continuous", ]
ra <- curve(d$a, d$truth)
set.seed(1)
auc_ci <- as.numeric(ci.auc(ra, method = "bootstrap", boot.n = 20000, progress = "none"))
se_ci <- ci.se(ra, specificities = 0.85, boot.n = 20000, progress = "none")
sp_ci <- ci.sp(ra, sensitivities = 0.85, boot.n = 20000, progress = "none")
pauc_ci <- as.numeric(ci.auc(ra, partial.auc = c(0.8, 1), reuse.auc = FALSE, method = "bootstrap", boot.n = 20000, progress = "none"))
bootstrap <- list(
  auc = list(low = auc_ci[1], high = auc_ci[3]),
  sensitivity = list(low = se_ci[1, 1], high = se_ci[1, 3]),
  specificity = list(low = sp_ci[1, 1], high = sp_ci[1, 3]),
  partial = list(low = pauc_ci[1], high = pauc_ci[3])
)
large <- data[data$set == "large", ]; ties <- data[data$set == "ties", ]
between <- roc.test(curve(large$a, large$truth), curve(ties$a, ties$truth), method = "delong", paired = FALSE)
write_csv(data, folder, "scores.csv")
write_expected(list(
  sets = sets, bootstrap = bootstrap,
  large_against_ties = list(t = as.numeric(between$statistic), df = as.numeric(between$parameter), p = between$p.value)
), folder)
