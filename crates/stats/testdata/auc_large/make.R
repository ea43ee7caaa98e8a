# pROC on 100,000 films, of scores that both languages compute exactly from the film's number; see `../../tests/golden_auc.rs`.
# Run: Rscript make.R
folder <- dirname(normalizePath(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))))
source(file.path(folder, "..", "write.R"))
suppressMessages(library(pROC))

i <- 0:99999
truth <- as.integer(i %% 10 < 3)
scores <- function(step) (i * step) %% 1009 + 300 * truth
ra <- roc(truth, scores(7919), levels = c(0, 1), direction = "<", quiet = TRUE)
rb <- roc(truth, scores(104729), levels = c(0, 1), direction = "<", quiet = TRUE)
interval <- as.numeric(ci.auc(ra, method = "delong"))
test <- roc.test(ra, rb, method = "delong", paired = TRUE)
write_expected(list(
  auc_a = as.numeric(auc(ra)), auc_b = as.numeric(auc(rb)),
  variance = var(ra, method = "delong"), low = interval[1], high = interval[3],
  z = as.numeric(test$statistic), p = test$p.value
), folder)
