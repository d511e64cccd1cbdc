"""The metrics themselves, on features and pictures made for the purpose."""

import numpy as np
import pytest

from flaxgan.metrics import classes, frechet, kernel, neighbours
from flaxgan.metrics.ms_ssim import ms_ssim, pairwise_ms_ssim, scales

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def the_same_numbers_whatever_ran_before():
    RNG.bit_generator.state = np.random.default_rng(0).bit_generator.state


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def test_frechet_distance_of_known_gaussians():
    # Covariances that share their axes: the sum of (standard deviation - standard deviation)^2.
    a = frechet.Gaussian(np.array([1.0, 2.0]), np.diag([4.0, 9.0]))
    b = frechet.Gaussian(np.array([1.0, 5.0]), np.diag([1.0, 25.0]))
    assert frechet.frechet_distance(a, b) == pytest.approx(9 + 1 + 4)
    # Others: the trace of a 2x2 matrix' root is sqrt(trace + 2 sqrt(determinant)).
    c = frechet.Gaussian(np.zeros(2), np.array([[2.0, 1.0], [1.0, 2.0]]))
    d = frechet.Gaussian(np.zeros(2), np.diag([1.0, 4.0]))
    product = c.covariance @ d.covariance
    root_trace = np.sqrt(np.trace(product) + 2 * np.sqrt(np.linalg.det(product)))
    assert frechet.frechet_distance(c, d) == pytest.approx(4 + 5 - 2 * root_trace)
    assert frechet.frechet_distance(d, c) == pytest.approx(frechet.frechet_distance(c, d))


def test_frechet_distance_of_a_set_to_itself_is_zero_even_if_it_is_smaller_than_its_dimensions():
    for shape in ((300, 20), (10, 50)):
        x = normal(*shape)
        assert frechet.frechet(x, x) < 1e-6
        assert frechet.frechet(x, x[::-1]) < 1e-6


@pytest.mark.parametrize("rows", [(10, 30), (30, 10), (10, 80), (80, 10)])
def test_fewer_features_than_dimensions_are_measured_by_their_products(rows):
    few, many = (frechet.gaussian(2 * normal(n, 50) + 1) for n in rows)
    whole = (gaussian._replace(factor=None) for gaussian in (few, many))
    assert frechet.frechet_distance(few, many) == pytest.approx(frechet.frechet_distance(*whole))


@pytest.mark.parametrize("block", [1, 300, 1000, 5000])
def test_statistics_come_out_the_same_however_the_rows_are_cut(monkeypatch, block):
    monkeypatch.setattr(frechet, "BLOCK", block)
    x = normal(1000, 7) + 1e4  # far from zero: sums of squares would lose every digit
    mean, covariance, _ = frechet.gaussian(x)
    np.testing.assert_allclose(
        covariance, np.cov(x.astype(np.float64), rowvar=False), rtol=1e-9, atol=1e-12
    )
    np.testing.assert_allclose(mean, x.astype(np.float64).mean(0), rtol=1e-12)


def test_kernel_distance_worked_by_hand():
    def k(a, b):
        return (a * b + 1) ** 3

    real, generated = np.float32([[0], [1]]), np.float32([[2], [-1], [1]])
    within_real = k(0, 1)
    within_generated = (k(2, -1) + k(2, 1) + k(-1, 1)) / 3
    between = np.mean([k(a, b) for a in (0, 1) for b in (2, -1, 1)])
    assert kernel.mmd2(real, generated) == pytest.approx(
        within_real + within_generated - 2 * between
    )


def test_kernel_distance_is_unbiased():
    values = [kernel.mmd2(normal(50, 8), normal(50, 8)) for _ in range(200)]
    # some are negative: nothing is cut off at 0
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(len(values))
    mean, std, _ = kernel.kernel_distance(normal(300, 8), normal(300, 8) + 1, 100)
    assert mean > 5 * std > 0


def test_kernel_distance_has_no_spread_where_every_subset_is_the_whole():
    real, generated = np.random.default_rng(9).normal(size=(2, 30, 4)).astype(np.float32)
    assert kernel.kernel_distance(real, generated, 30)[1:] == (0, 1)


@pytest.mark.parametrize("sizes", [(60, 40), (400, 300)])
def test_kernel_distance_is_the_mean_over_subsets(sizes, monkeypatch):
    """Whether the kernel is computed subset by subset or once for all pairs, and whoever knows the
    real side.
    """
    monkeypatch.setattr(kernel, "BLOCK", 7)
    rng = np.random.default_rng(5)
    real, generated = (rng.normal(size=(size, 8)).astype(np.float32) for size in sizes)
    rng = np.random.default_rng(5)
    drawn = [
        [x[rng.choice(len(x), 20, replace=False)] for x in (real, generated)]
        for _ in range(kernel.SUBSETS)
    ]
    values = [kernel.mmd2(*pair) for pair in drawn]
    want = pytest.approx((np.mean(values), np.std(values), kernel.SUBSETS), rel=1e-5)
    assert kernel.kernel_distance(real, generated, 20, 5) == want
    asked = []
    assert (
        kernel.kernel_distance(
            real,
            generated,
            20,
            5,
            lambda rows: asked.append(rows) or kernel.mean_within(real, rows),
        )
        == want
    )
    assert asked[0].shape == (kernel.SUBSETS, 20)


def brute_force(real, generated):
    """Precision, recall, density, coverage straight from their definitions, a pair at a time."""

    def distance(a, b):
        return np.linalg.norm(a.astype(np.float64) - b)

    def radii(x, k):
        return [
            sorted(distance(a, b) for j, b in enumerate(x) if j != i)[k - 1]
            for i, a in enumerate(x)
        ]

    real_ball, dense_ball, generated_ball = radii(real, 3), radii(real, 5), radii(generated, 3)
    return (
        np.mean(
            [
                any(distance(r, g) <= ball for r, ball in zip(real, real_ball, strict=True))
                for g in generated
            ]
        ),
        np.mean(
            [
                any(
                    distance(r, g) <= ball
                    for g, ball in zip(generated, generated_ball, strict=True)
                )
                for r in real
            ]
        ),
        np.mean(
            [
                sum(distance(r, g) <= ball for r, ball in zip(real, dense_ball, strict=True))
                for g in generated
            ]
        )
        / 5,
        np.mean(
            [
                min(distance(r, g) for g in generated) <= ball
                for r, ball in zip(real, dense_ball, strict=True)
            ]
        ),
    )


def test_neighbourhoods_equal_their_definitions(monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK", 7)  # which divides neither set
    real, generated = normal(40, 3), 0.8 * normal(33, 3) + 0.5
    real_within, generated_within = map(neighbours.within, (real, generated))
    result = neighbours.between(real, generated, real_within, generated_within)
    assert result[:4] == pytest.approx(brute_force(real, generated))
    pairs = [np.linalg.norm(a - b) for i, a in enumerate(real) for b in real[:i]]
    assert real_within.mean_distance == pytest.approx(np.mean(pairs), rel=1e-5)
    indices, distances = neighbours.nearest(generated, real)
    every = np.linalg.norm(generated[:, None] - real[None], axis=-1)
    np.testing.assert_array_equal(indices, every.argmin(1))
    np.testing.assert_allclose(distances, every.min(1), rtol=1e-5)


def compare(real, generated):
    return neighbours.between(real, generated, *map(neighbours.within, (real, generated)))


def test_a_set_against_itself_and_against_one_far_away():
    x = normal(200, 16)
    same, far = compare(x, x), compare(x, x + 100)
    assert same.precision == same.recall == same.coverage == 1 and same.density >= 1
    assert far[:4] == (0, 0, 0, 0)
    assert np.median(same.realism) >= 1 > far.realism.max()


def test_a_generator_that_lost_half_of_the_modes():
    centres = 50 * normal(10, 4)  # so few dimensions that a mode's balls cover it
    real = (centres[:, None] + normal(10, 120, 4)).reshape(-1, 4)
    generated = (centres[:5, None] + normal(5, 240, 4)).reshape(-1, 4)
    result = compare(real, generated)
    assert result.precision > 0.85
    assert 0.4 < result.recall <= 0.5 and 0.4 < result.coverage <= 0.5


def test_copies_are_found_at_no_distance_even_far_from_the_origin():
    x = normal(500, 64) + 300
    order = RNG.permutation(500)[:100]
    indices, distances = neighbours.nearest(x[order], x)
    np.testing.assert_array_equal(indices, order)
    assert distances.max() == 0
    assert neighbours.nearest(x, x, same=True)[1].min() > 1


def test_class_shares_of_a_generator_that_knows_half_of_the_classes():
    centres = 5 * normal(8, 30)
    labels = RNG.integers(8, size=2000)
    real = centres[labels] + normal(2000, 30)
    half = labels < 4
    known = classes.learn(real, labels)
    whole, lost = (classes.class_shares(known, x) for x in (real, real[half]))
    assert known.accuracy > 0.97 and whole.coverage == 1 and whole.balance > 0.99
    assert lost.coverage == 0.5
    assert lost.balance == pytest.approx(np.log(4) / np.log(8), abs=0.01)
    single = classes.class_shares(known, real[labels == 2])
    assert single.coverage == 1 / 8 and single.balance < 0.1
    of_one = classes.class_shares(known, np.repeat(centres[:1], 5, 0))
    assert str(of_one.balance) == "0.0", "not -0.0"


def test_classes_that_are_rare_or_absent():
    features, labels = normal(30, 4), np.array([7] * 20 + [3] * 9 + [5])
    result = classes.class_shares(classes.learn(features, labels), features)
    assert len(result.shares) == 3 and result.shares.sum() == pytest.approx(1)


def test_classes_of_hardly_more_than_a_picture_each():
    """The only other picture is held out, or is the same once more: nothing is known of how classes
    vary.
    """
    features, labels = normal(10, 4), np.array([*range(9), 0])
    for other in (features[0] + 0.01, features[0]):
        features[9] = other
        known = classes.learn(features, labels)
        assert known.accuracy == 1 and (known.classify(features) == labels).all()


def test_ms_ssim_is_one_for_the_same_picture_and_falls_with_damage():
    x = RNG.integers(0, 256, (4, 64, 64, 3)).astype(np.uint8)
    noisy = np.clip(x + 20 * normal(*x.shape), 0, 255).astype(np.uint8)
    same, damaged = np.asarray(ms_ssim(x, x)), np.asarray(ms_ssim(x, noisy))
    np.testing.assert_allclose(same, 1, atol=1e-5)
    assert (damaged < 0.999).all() and (damaged > 0.5).all()
    assert np.asarray(ms_ssim(x, 255 - x)).max() < 0.05


def test_ms_ssim_takes_as_many_scales_as_fit():
    assert [scales(side, side) for side in (8, 16, 28, 64, 256)] == [0, 1, 2, 3, 5]
    flat = np.full((10, 16, 16, 1), 100, np.uint8)
    assert pairwise_ms_ssim(flat) == pytest.approx(1, abs=1e-4)
    varied = RNG.integers(0, 256, (10, 16, 16, 1)).astype(np.uint8)
    assert pairwise_ms_ssim(varied) < 0.3


def test_no_picture_is_compared_with_itself():
    varied = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 1)).astype(np.uint8)
    assert pairwise_ms_ssim(varied) == pytest.approx(
        float(ms_ssim(varied[:1], varied[1:])[0]), abs=1e-5
    )


def test_a_class_is_drawn_from_a_tenth_of_its_share_on():
    real = classes.Classes(np.arange(2), np.array([0.5, 0.5]), lambda x: x, 1.0)
    generated = [np.array([0] * few + [1] * (100 - few)) for few in (4, 5, 20)]
    assert [classes.class_shares(real, some).coverage for some in generated] == [0.5, 1, 1]


def test_the_classifier_is_judged_on_other_pictures():
    rng = np.random.default_rng(0)
    assert classes.learn(rng.normal(size=(60, 200)), rng.integers(2, size=60)).accuracy < 0.8, (
        "there is nothing to learn"
    )


def test_outliers_vouch_for_nothing():
    real = np.concatenate(
        [np.random.default_rng(0).normal(size=(50, 4)), 1000 + 300 * np.eye(4)]
    ).astype(np.float32)
    near_outlier = np.full((8, 4), 1000, np.float32) + np.random.default_rng(1).normal(
        size=(8, 4)
    ).astype(np.float32)
    result = neighbours.between(
        real, near_outlier, neighbours.within(real), neighbours.within(near_outlier)
    )
    assert result.precision == 1 and result.realism.max() < 1
