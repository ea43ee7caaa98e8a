# What surrounds the analysis of a crossed study, on the ratings of ../mrmc_designs/crossed.csv: the analysis of pseudovalues by R's aov,
# a stand-alone reader against the mean of the others, noncentral F, Hillis' power, Fleiss' kappa with its jackknife, Wilcoxon's test.
# Run: Rscript make.R
folder <- dirname(normalizePath(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))))
source(file.path(folder, "..", "write.R"))
data <- read.csv(file.path(folder, "..", "mrmc_designs", "crossed.csv"))
auc <- function(d) mean(outer(d$rating[d$truth == 1], d$rating[d$truth == 0], function(x, y) (x > y) + (x == y) / 2))
keys <- unique(data[c("treatment", "reader")]); cases <- sort(unique(data$case)); n <- length(cases)
cells <- lapply(seq_len(nrow(keys)), function(i) data[data$treatment == keys$treatment[i] & data$reader == keys$reader[i], ])
theta <- sapply(cells, auc)
without <- sapply(cells, function(d) sapply(cases, function(k) auc(d[d$case != k, ])))
covariance <- (n - 1) / n * crossprod(scale(without, scale = FALSE))

pseudo <- do.call(rbind, lapply(seq_along(cells), function(i) data.frame(
  t = keys$treatment[i], r = keys$reader[i], c = cases, y = n * theta[i] - (n - 1) * without[, i])))
pseudo[c("t", "r", "c")] <- lapply(pseudo[c("t", "r", "c")], factor)
table <- summary(aov(y ~ t * r * c, pseudo))[[1]]
squares <- setNames(table[["Mean Sq"]], gsub(":", "", trimws(rownames(table))))
denominator <- squares[["tr"]] + max(squares[["tc"]] - squares[["trc"]], 0)
df2 <- denominator^2 / (squares[["tr"]]^2 / 3)
dbm <- list(squares = as.list(squares), f = squares[["t"]] / denominator, df = df2,
            p = pf(squares[["t"]] / denominator, 1, df2, lower.tail = FALSE),
            cases = pf(squares[["t"]] / squares[["tc"]], 1, n - 1, lower.tail = FALSE))

# Reader R4 of the treatment "plain" stands alone.
plain <- which(keys$treatment == "plain"); a <- theta[plain]; v <- covariance[plain, plain]; L <- cbind(diag(3), -1)
d <- as.vector(L %*% a); w <- L %*% v %*% t(L); cov2 <- mean(w[upper.tri(w)])
alone <- function(square, df) { se <- sqrt(square); q <- if (is.finite(df)) qt(0.975, df) else qnorm(0.975)
  list(value = mean(d), se = se, low = mean(d) - q * se, high = mean(d) + q * se,
       p = if (is.finite(df)) 2 * pt(-abs(mean(d) / se), df) else 2 * pnorm(-abs(mean(d) / se))) }
s <- var(d) + 3 * max(cov2, 0)
standalone <- list(both = alone(s / 3, s^2 / (var(d)^2 / 2)), readers = alone(var(d) / 3, 2),
                   cases = alone((mean(diag(w)) + 2 * cov2) / 3, Inf))

grid <- expand.grid(x = c(0.5, 4, 12), df1 = c(1, 3), df2 = c(2.5, 15, 200), lambda = c(0, 1.5, 10, 60))
noncentral <- lapply(seq_len(nrow(grid)), function(i) c(as.list(grid[i, ]), list(sf = with(grid[i, ],
  pf(x, df1, df2, ncp = lambda, lower.tail = FALSE)))))

same_t <- outer(keys$treatment, keys$treatment, "=="); same_r <- outer(keys$reader, keys$reader, "==")
error <- mean(diag(covariance)); cov1 <- mean(covariance[!same_t & same_r])
between <- max(mean(covariance[same_t & !same_r]) - mean(covariance[!same_t & !same_r]), 0)
ms_tr <- summary(aov(theta ~ treatment * reader, cbind(keys, theta)))[[1]][["Mean Sq"]][3]
sigma <- max(ms_tr - error + cov1 + between, 0)
power <- function(diff, r, c) {
  k <- n / c; square <- sigma + k * (error - cov1 + (r - 1) * between); inner <- sigma + k * (error - cov1 - between)
  df <- (r - 1) * (square / inner)^2
  pf(qf(0.95, 1, df), 1, df, ncp = r * diff^2 / 2 / square, lower.tail = FALSE)
}
sizes <- expand.grid(difference = c(0.05, 0.1), readers = c(4, 10), cases = c(24, 100, 400))
powers <- lapply(seq_len(nrow(sizes)), function(i) c(as.list(sizes[i, ]), list(power = do.call(power, unname(as.list(sizes[i, ]))))))

# Categories 1 to 5 of the four readers under "aided": counts by case.
counts <- t(sapply(cases, function(k) tabulate(data$rating[data$case == k & data$treatment == "aided"], 5)))
fleiss <- function(m) { r <- sum(m[1, ]); p <- mean((rowSums(m^2) - r) / (r * (r - 1))); e <- sum((colSums(m) / sum(m))^2); (p - e) / (1 - e) }
jack <- function(groups) { left <- sapply(unique(groups), function(g) fleiss(counts[groups != g, ])); g <- length(left)
  sqrt((g - 1) / g * sum((left - mean(left))^2)) }
kappa <- list(counts = counts, value = fleiss(counts), se = jack(1:n), se_pairs = jack(rep(1:(n / 2), each = 2)))

set.seed(5)
rank <- lapply(list(c(1.2, -0.4, 2.2, 3.1, 0.9, -1.1, 1.7), c(1, 2, -1, 3, 0, 2, 2, -3, 4, 5), round(rnorm(60, 0.3), 3)), function(x) {
  w <- suppressWarnings(wilcox.test(x, conf.int = FALSE))
  walsh <- outer(x, x, "+") / 2
  list(x = x, v = unname(w$statistic), p = w$p.value, exact = grepl("exact", w$method), center = median(walsh[lower.tri(walsh, diag = TRUE)]))
})
write_expected(list(dbm = dbm, standalone = standalone, noncentral = noncentral, powers = powers, kappa = kappa, rank = rank), folder)
