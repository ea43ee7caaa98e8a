# Obuchowski & Rockette's analysis of a crossed design, written out from its formulas: DeLong's covariances by comparing every case
# with every control, the analysis of variance by R's own aov, tests and intervals after Hillis (2007, 2014).
# Run: Rscript make.R
folder <- dirname(normalizePath(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))))
source(file.path(folder, "..", "write.R"))
set.seed(11)
RNGkind("Mersenne-Twister", "Inversion", "Rejection")

readers <- c("R1", "R2", "R3", "R4"); treatments <- c("aided", "plain", "second"); n <- 36
truth <- rep(c(1, 0, 0), n / 3)
ability <- c(R1 = 1.6, R2 = 1.2, R3 = 0.9, R4 = 1.4); gain <- c(aided = 0.5, plain = 0, second = 0.2)
case_effect <- rnorm(n, 0, 0.7)
rows <- do.call(rbind, lapply(treatments, function(t) do.call(rbind, lapply(readers, function(r) data.frame(
  reader = r, treatment = t, case = 1:n, truth = truth,
  rating = round(50 + 15 * ((ability[[r]] + gain[[t]]) * truth + case_effect + rnorm(n, 0, 0.8)))
)))))

cells <- expand.grid(reader = readers, treatment = treatments, stringsAsFactors = FALSE)
psi <- lapply(seq_len(nrow(cells)), function(i) {
  d <- rows[rows$reader == cells$reader[i] & rows$treatment == cells$treatment[i], ]
  outer(d$rating[d$truth == 1], d$rating[d$truth == 0], function(x, y) (x > y) + (x == y) / 2)
})
cells$auc <- sapply(psi, mean)
v10 <- sapply(psi, rowMeans); v01 <- sapply(psi, colMeans)
covariance <- cov(v10) / nrow(v10) + cov(v01) / nrow(v01)
same_t <- outer(cells$treatment, cells$treatment, "=="); same_r <- outer(cells$reader, cells$reader, "==")
error <- mean(diag(covariance))
cov1 <- mean(covariance[!same_t & same_r]); cov2 <- mean(covariance[same_t & !same_r]); cov3 <- mean(covariance[!same_t & !same_r])
squares <- summary(aov(auc ~ treatment + reader + treatment:reader, cells))[[1]][["Mean Sq"]]
ms_t <- squares[1]; ms_r <- squares[2]; ms_tr <- squares[3]
t <- length(treatments); r <- length(readers); between <- max(cov2 - cov3, 0)

means <- tapply(cells$auc, cells$treatment, mean)[treatments]
pairs <- combn(t, 2)
tests <- function(square, df) apply(pairs, 2, function(p) {
  value <- means[[p[1]]] - means[[p[2]]]; se <- sqrt(2 * square / r); z <- value / se
  q <- if (is.infinite(df)) qnorm(0.975) else qt(0.975, df)
  list(first = treatments[p[1]], second = treatments[p[2]], value = value, se = se, statistic = z,
       p = if (is.infinite(df)) 2 * pnorm(-abs(z)) else 2 * pt(-abs(z), df), low = value - q * se, high = value + q * se)
})
own <- function(kind) lapply(treatments, function(name) {
  in_t <- cells$treatment == name; a <- cells$auc[in_t]; own_cov <- covariance[in_t, in_t]
  ms <- var(a); var_error <- mean(diag(own_cov)); own_cov2 <- mean(own_cov[upper.tri(own_cov)])
  square <- switch(kind, both = ms + r * max(own_cov2, 0), readers = ms, cases = var_error + (r - 1) * own_cov2)
  df <- switch(kind, both = square^2 / (ms^2 / (r - 1)), readers = r - 1, cases = Inf)
  half <- (if (is.infinite(df)) qnorm(0.975) else qt(0.975, df)) * sqrt(square / r)
  list(treatment = name, value = mean(a), low = max(mean(a) - half, 0), high = min(mean(a) + half, 1), by_reader = I(a))
})
df_tr <- (t - 1) * (r - 1)
both <- ms_tr + r * between; df2 <- both^2 / (ms_tr^2 / df_tr)
fixed_readers <- error - cov1 + (r - 1) * between
analysis <- list(
  components = list(error = error, cov1 = cov1, cov2 = cov2, cov3 = cov3, ms_treatment = ms_t, ms_reader = ms_r, ms_interaction = ms_tr),
  both = list(statistic = ms_t / both, df = df2, p = pf(ms_t / both, t - 1, df2, lower.tail = FALSE), tests = tests(both, df2), means = own("both")),
  readers = list(statistic = ms_t / ms_tr, df = df_tr, p = pf(ms_t / ms_tr, t - 1, df_tr, lower.tail = FALSE), tests = tests(ms_tr, df_tr), means = own("readers")),
  cases = list(statistic = (t - 1) * ms_t / fixed_readers, df = t - 1, p = pchisq((t - 1) * ms_t / fixed_readers, t - 1, lower.tail = FALSE),
               tests = tests(fixed_readers, Inf), means = own("cases"))
)
write_csv(rows, folder, "ratings.csv")
write_expected(analysis, folder)
