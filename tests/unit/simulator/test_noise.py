import numpy as np

from simulator.noise import key_of, layered, normal, smooth, uniform

KEY = key_of(7, "AAPL", "test")
PLACES = np.arange(1_000_000, 1_200_000, dtype=np.int64)


def test_a_number_depends_on_its_address_alone():
    whole = normal(KEY, PLACES)
    assert np.array_equal(whole[5_000:5_010], normal(KEY, PLACES[5_000:5_010]))
    assert np.array_equal(whole[::-1], normal(KEY, PLACES[::-1]))


def test_another_key_gives_other_numbers():
    assert abs(np.corrcoef(normal(KEY, PLACES), normal(key_of(8, "AAPL", "test"), PLACES))[0, 1]) < 0.01


def test_uniform_numbers_fill_the_open_unit_interval_evenly():
    numbers = uniform(KEY, PLACES)
    assert 0.0 < numbers.min() < 1e-4
    assert 1.0 - 1e-4 < numbers.max() < 1.0
    assert np.abs(np.histogram(numbers, bins=20, range=(0, 1))[0] / len(numbers) * 20 - 1.0).max() < 0.03


def test_normal_numbers_have_mean_zero_and_variance_one_and_no_memory():
    numbers = normal(KEY, PLACES)
    assert abs(numbers.mean()) < 0.01
    assert abs(numbers.var() - 1.0) < 0.01
    assert abs(np.corrcoef(numbers[1:], numbers[:-1])[0, 1]) < 0.01


def test_smooth_noise_is_the_same_wherever_the_line_is_cut():
    line = np.linspace(-3.0, 9.0, 500)
    assert np.array_equal(smooth(KEY, line)[200:300], smooth(KEY, line[200:300]))
    assert np.abs(np.diff(smooth(KEY, line))).max() < 0.2


def test_layered_noise_remembers_over_its_longest_scale():
    numbers = layered((7, "x"), np.arange(20_000.0), ((3.0, 0.2), (400.0, 0.2)))
    assert np.corrcoef(numbers[40:], numbers[:-40])[0, 1] > 0.3
