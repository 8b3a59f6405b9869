"""Least-squares trees as scikit-learn (1.9) grows them, written out for numba.

In small nodes many splits are equally good. There the last bits of the sums decide, and
between equals the split that is looked at first. Both follow from the order of work,
which is therefore scikit-learn's: codes are visited in a drawn order, rows stay as the
last visited code sorted them, sums are added up row by row.

The codes are sorted once; a node divides that order between its children. Rows with the
same value of a code, though, have no order but the one that the moves of a sort leave
them in, here introsort (Musser 1997) with three-way partitions. A tree is grown without
it first: `grow_tree` then says whether another order of equal values could have rounded
to another tree, and if so it is grown again, sorting every node as scikit-learn does.
Rows equal in all codes and the target (an image drawn twice) may stand in any order.

Reading this file imports numba, which keeps the compiled kernels beside it or in the
user's cache. Whether they are stale it knows by this file alone: none calls another's.
"""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

DEPTH = 3
SAME = np.float32(1e-7)  # scikit-learn's trees take values this close as equal
# A node whose targets vary no more than this is a leaf.
PURE = EPSILON = float(np.finfo(np.float64).eps)
FEW = 15  # as few values are sorted by insertion
WAITING = 128  # parts of a sort at most: two for each halving of 2^32 rows


def compiled(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """The kernel compiled, and kept on disk where a place for that can be written."""
    try:
        return numba.njit(kernel, nogil=True, cache=True)
    except RuntimeError:  # neither this folder nor the user's cache can be written
        return numba.njit(kernel, nogil=True)


@compiled
def grow_tree(table, y, drawn, work, tree, literal):
    """Fills the tree, depth first; whether it may be another than scikit-learn's.

    With `literal` it is scikit-learn's; without, it may stay unfinished.
    """
    rows = len(y)
    work.order[:], work.ranked[:] = table.order, table.ranked
    work.rows[:] = np.arange(rows)
    # To come: first place, end, level, constant codes, parent whose right child it is,
    # and whether the order of its rows and its variance are not scikit-learn's.
    todo = np.zeros((DEPTH + 2, 7), np.int64)
    variances = np.zeros(DEPTH + 2)
    total, squares = _sums(y, work.rows, 0, rows)
    todo[0, 1], todo[0, 4] = rows, -1
    variances[0] = squares / rows - (total / rows) ** 2
    waiting, node = 1, -1
    while waiting:
        waiting -= 1
        node += 1
        here = todo[waiting]
        a, b, level, known = here[0], here[1], here[2], here[3]
        parent, mixed, rounded = here[4], here[5] > 0, here[6] > 0
        variance = variances[waiting]
        if parent >= 0:
            tree.right[parent] = node
        n, code = b - a, -1
        if level < DEPTH and n > 1 and variance > PURE:
            total, squares = _sums(y, work.rows, a, b)
            # No order of the rows changes n times what is compared by more than this.
            slack = 4 * EPSILON * n * squares if not literal else -1.0
            code, place, at, known, doubt, after = _search(
                table, y, drawn, work, a, b, total, known, mixed, slack
            )
            if doubt:
                return True
        if code >= 0:
            _part(table.values[code], at, work.rows, a, b)
            left, right = _variances(y, work.rows, a, place, b, total, squares)
            m = place - a
            lower = variance - (n - m) / n * right - m / n * left
            if (mixed or after or rounded) and (
                abs(n * lower + PURE * rows) <= slack
                or _nearly_pure(level, left, m, slack)
                or _nearly_pure(level, right, n - m, slack)
            ):
                return True
            if n / rows * lower + PURE < 0:
                code = -1
        if code < 0:
            for p in range(a, b):
                tree.leaf[work.rows[p]] = node
            continue
        tree.code[node], tree.threshold[node] = code, at
        tree.gain[node] = n * variance - m * left - (n - m) * right
        if level + 1 < DEPTH:
            _divide(work, a, place, b)
        for side in range(2):
            here = todo[waiting + side]
            here[0], here[1] = (a, place) if side else (place, b)
            here[2], here[3], here[4] = level + 1, known, -1 if side else node
            here[5], here[6] = after, mixed or after
            variances[waiting + side] = left if side else right
        waiting += 2
    return False


@compiled
def _nearly_pure(level, variance, rows, slack):
    """Whether rounding decides if a child that may be split is a leaf."""
    return level + 1 < DEPTH and rows > 1 and abs(variance - PURE) * rows <= slack


@compiled
def _search(table, y, drawn, work, a, b, total, known, mixed, slack):
    """The node's best split: code (-1 for none), place, threshold; constant codes.

    With slack >= 0 also whether another order of equal values could make another split
    the best, and whether the rows are left in an order that is not scikit-learn's.

    Codes known to be constant in a node above come first: drawn, not visited again.
    """
    best, second, code, place, at = -np.inf, -np.inf, -1, b, np.inf
    loose, after = -np.inf, mixed  # the best by sums that may round otherwise
    codes = drawn.shuffled
    left, passed, found = len(codes), 0, 0
    while left > known + found:
        j = passed + _below(drawn.state, left - found - passed)
        if j < known:
            codes[passed], codes[j] = codes[j], codes[passed]
            passed += 1
            continue
        j += found
        c = codes[j]
        after, seen = _sort_node(table, y, work, c, a, b, slack < 0)
        if work.value[b - 1] <= work.value[a] + SAME:
            codes[j], codes[known + found] = codes[known + found], codes[j]
            found += 1
            continue
        left -= 1
        codes[left], codes[j] = codes[j], codes[left]
        most, next_most, p = _best_place(y, work.rows, work.value, a, b, total)
        second = max(second, next_most, min(most, best))
        if mixed or seen:
            loose = max(loose, most)
        if most > best:
            best, code, place = most, c, p
            low, high = np.float64(work.value[p - 1]), np.float64(work.value[p])
            at = low / 2 + high / 2
    for k in range(known):
        codes[k] = drawn.constant[k]
    for k in range(known, known + found):
        drawn.constant[k] = codes[k]
    doubt = code >= 0 and best - second <= slack and best - loose <= slack
    return code, place, at, known + found, doubt, after


@compiled
def _below(state, limit):
    """A draw from 0 to limit - 1 (Marsaglia 2003, xorshift32)."""
    x = state[0]
    x ^= np.uint32(x << np.uint32(13))
    x ^= np.uint32(x >> np.uint32(17))
    x ^= np.uint32(x << np.uint32(5))
    state[0] = x
    return np.int64(x & np.uint32(0x7FFFFFFF)) % limit


@compiled
def _best_place(y, rows, value, a, b, total):
    """Two largest s^2 / m + (total - s)^2 / (n - m) of splits; the first best place.

    s is the sum of the m targets on the left. From place to place targets are added to
    it; where fewer are on the right, these are taken off the total.
    """
    best, second, place, at, s = -np.inf, -np.inf, b, a, 0.0
    for p in range(a + 1, b):
        if value[p] <= value[p - 1] + SAME:
            continue
        if p - at <= b - p:
            for k in range(at, p):
                s += y[rows[k]]
        else:
            s = total
            for k in range(b - 1, p - 1, -1):
                s -= y[rows[k]]
        at = p
        rest = total - s
        quality = s * s / (p - a) + rest * rest / (b - p)
        if quality > best:
            best, second, place = quality, best, p
        elif quality > second:
            second = quality
    return best, second, place


@compiled
def _sums(y, rows, a, b):
    """Sum of the targets of these places, and of their squares."""
    total, squares = 0.0, 0.0
    for p in range(a, b):
        target = y[rows[p]]
        total += target
        squares += target * target
    return total, squares


@compiled
def _variances(y, rows, a, place, b, total, squares):
    """Variances left and right of a place, rounded as scikit-learn's."""
    s, left_squares = _sums(y, rows, a, place)
    if place - a > b - place:
        s = total
        for p in range(b - 1, place - 1, -1):
            s -= y[rows[p]]
    m, rest = place - a, b - place
    left = left_squares / m - (s / m) ** 2
    right = (squares - left_squares) / rest - ((total - s) / rest) ** 2
    return left, right


@compiled
def _part(values, at, rows, a, b):
    """Rows up to the threshold to the front; each of the others to the last place."""
    while a < b:
        if values[rows[a]] <= at:
            a += 1
        else:
            b -= 1
            rows[a], rows[b] = rows[b], rows[a]


@compiled
def _divide(work, a, place, b):
    """Every code's sorted rows to the two children, each still sorted."""
    for p in range(a, b):
        work.right[work.rows[p]] = p >= place
    for code in range(len(work.order)):
        order, ranked, i, j = work.order[code], work.ranked[code], a, 0
        for p in range(a, b):
            row, value = order[p], ranked[p]
            if work.right[row]:
                work.spare[j], work.value[j] = row, value
                j += 1
            else:
                order[i], ranked[i] = row, value
                i += 1
        for p in range(j):
            order[place + p], ranked[place + p] = work.spare[p], work.value[p]


@compiled
def _sort_node(table, y, work, code, a, b, literal):
    """Sorts the rows of a node, and their values, by a code.

    Where rows that differ share no value, there is one order. Returns whether the order
    left is not scikit-learn's, and whether that is seen in what is added up.
    """
    order, ranked, alike = work.order[code], work.ranked[code], table.alike
    twice, seen = False, False
    for p in range(a + 1, b):
        if ranked[p] == ranked[p - 1]:
            seen |= y[order[p]] != y[order[p - 1]]
            twice |= seen or alike[order[p]] != alike[order[p - 1]]
    sort = twice and literal
    for p in range(a, b):
        if sort:
            work.value[p] = table.values[code, work.rows[p]]
        else:
            work.rows[p], work.value[p] = order[p], ranked[p]
    if sort:
        _sort(work.value, work.rows, a, b)
    return twice and not literal, seen and not literal


@compiled
def _sort(value, rows, a, b):
    """Introsort of places a to b, with partitions into less, equal and more."""
    starts, ends = np.empty(WAITING, np.int64), np.empty(WAITING, np.int64)
    left = np.empty(WAITING, np.int64)
    starts[0], ends[0], left[0] = a, b, 2 * int(np.log2(b - a))
    parts = 1
    while parts:
        parts -= 1
        a, b, turns = starts[parts], ends[parts], left[parts]
        while b - a > FEW:
            if not turns:
                _heapsort(value, rows, a, b)
                break
            turns -= 1
            one, two, three = value[a], value[a + (b - a) // 2], value[b - 1]
            middle = max(min(one, two), min(max(one, two), three))
            less, i, more = a, a, b
            while i < more:
                if value[i] < middle:
                    _exchange(value, rows, i, less)
                    i += 1
                    less += 1
                elif value[i] > middle:
                    more -= 1
                    _exchange(value, rows, i, more)
                else:
                    i += 1
            starts[parts], ends[parts], left[parts] = a, less, turns
            parts += 1
            a = more
        else:
            _insert(value, rows, a, b)


@compiled
def _exchange(value, rows, i, j):
    """Exchanges two places."""
    value[i], value[j] = value[j], value[i]
    rows[i], rows[j] = rows[j], rows[i]


@compiled
def _insert(value, rows, a, b):
    """Insertion sort of a few places."""
    for i in range(a + 1, b):
        v, row, j = value[i], rows[i], i
        while j > a and value[j - 1] > v:
            value[j], rows[j] = value[j - 1], rows[j - 1]
            j -= 1
        value[j], rows[j] = v, row


@compiled
def _heapsort(value, rows, a, b):
    """Heapsort, for what three-way partitions do not shorten."""
    for start in range((b - a - 2) // 2, -1, -1):
        _sift(value, rows, a, start, b - a)
    for end in range(b - a - 1, 0, -1):
        _exchange(value, rows, a, a + end)
        _sift(value, rows, a, 0, end)


@compiled
def _sift(value, rows, a, root, end):
    """Moves the root of a heap of `end` places from a down to where it belongs."""
    while True:
        largest = root
        for child in (2 * root + 1, 2 * root + 2):
            if child < end and value[a + largest] < value[a + child]:
                largest = child
        if largest == root:
            return
        _exchange(value, rows, a + root, a + largest)
        root = largest
