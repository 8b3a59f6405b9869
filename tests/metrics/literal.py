"""Slow transcriptions of the definitions, one line of the definition a line of code.

Written from the definitions alone (Locatello et al. 2019 and the papers they cite),
with scikit-learn and SciPy doing what the definition says they do. Arguments are
(N, D) codes and (N, F) factors; rows that test come second.
"""

import numpy as np
import scipy.linalg
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import mutual_info_score, roc_auc_score
from sklearn.preprocessing import MultiLabelBinarizer
from sklearn.svm import LinearSVC


def bins(column):
    return np.digitize(column, np.histogram(column, 20)[1][:-1])


def information(left, right):
    return np.array([[mutual_info_score(r, x) for r in right.T] for x in left.T])


def sap(codes, factors, test_codes, test_factors):
    scores = np.zeros((codes.shape[1], factors.shape[1]))
    for i in range(codes.shape[1]):
        for j in range(factors.shape[1]):
            svm = LinearSVC(C=0.01, class_weight="balanced")
            svm.fit(codes[:, [i]], factors[:, j])
            scores[i, j] = np.mean(
                svm.predict(test_codes[:, [i]]) == test_factors[:, j]
            )
    ordered = np.sort(scores, axis=0)
    return {"score": np.mean(ordered[-1] - ordered[-2])}


def modularity(codes, factors, test_codes, test_factors):
    squares = information(np.stack([bins(c) for c in codes.T], 1), factors) ** 2
    scores = []
    for row in squares:
        if row.max() == 0:
            scores.append(0.0)
            continue
        template = row.max() * (len(row) - 1)
        scores.append(1 - (row.sum() - row.max()) / template)
    return {"score": np.mean(scores)}


def explicitness(codes, factors, test_codes, test_factors):
    mean, deviation = np.mean(codes, axis=0), np.std(codes, axis=0)
    train, test = (codes - mean) / deviation, (test_codes - mean) / deviation
    areas = []
    for y, test_y in zip(factors.T, test_factors.T, strict=True):
        model = LogisticRegression().fit(train, y)
        areas.append(
            [
                roc_auc_score(
                    MultiLabelBinarizer().fit_transform(truth[:, None]),
                    model.predict_proba(x),
                )
                for x, truth in ((train, y), (test, test_y))
            ]
        )
    return dict(zip(("train", "test"), np.mean(areas, axis=0), strict=True))


def irs(codes, factors, test_codes, test_factors):
    factors = np.stack([bins(column) for column in factors.T], axis=1)
    codes = codes[:, codes.var(axis=0) > 0]
    largest = np.max(np.abs(codes - codes.mean(axis=0)), axis=0)
    deviations = np.zeros((codes.shape[1], factors.shape[1]))
    for i in range(factors.shape[1]):
        values = np.unique(factors[:, i])
        for value in values:
            rows = codes[factors[:, i] == value]
            away = np.abs(rows - rows.mean(axis=0))
            deviations[:, i] += np.percentile(away, 99, axis=0) / len(values)
    scores = np.max(1 - deviations / largest[:, None], axis=1)
    return {"score": np.average(scores, weights=largest)}


def unsupervised(codes, factors, test_codes, test_factors):
    cov = np.cov(codes.T)
    product = np.diag(np.diag(cov))
    wasserstein = 2 * np.trace(cov) - 2 * np.trace(scipy.linalg.sqrtm(product @ cov))
    binned = np.stack([bins(c) for c in codes.T], axis=1)
    between = information(binned, binned)
    np.fill_diagonal(between, 0)
    pairs = codes.shape[1] ** 2 - codes.shape[1]
    log_det = np.linalg.slogdet(cov)[1]
    return {
        "gaussian_total_correlation": 0.5 * (np.sum(np.log(np.diag(cov))) - log_det),
        "wasserstein_correlation": np.real(wasserstein),
        "wasserstein_correlation_norm": np.real(wasserstein) / np.trace(cov),
        "mutual_information": np.sum(between) / pairs,
    }


LITERAL = {
    "sap": sap,
    "modularity": modularity,
    "explicitness": explicitness,
    "irs": irs,
    "unsupervised": unsupervised,
}
