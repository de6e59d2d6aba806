"""Which pyspark a process of the stream imports."""

from spark_jobs import without_zips

PACKAGES = "/venv/lib/site-packages"
ZIPS = f"{PACKAGES}/pyspark/python/lib"


def test_the_zips_that_spark_submit_puts_before_the_package_they_are_in_are_left_out() -> None:
    path = [f"{ZIPS}/pyspark.zip", f"{ZIPS}/py4j-0.10.9.9-src.zip", "/repo", "/usr/lib/python311.zip", PACKAGES]
    assert without_zips(path) == ["/repo", "/usr/lib/python311.zip", PACKAGES]


def test_the_zips_of_a_spark_that_is_no_package_stay() -> None:
    path = ["/opt/spark/python/lib/pyspark.zip", "/opt/spark/python/lib/py4j-0.10.9.9-src.zip", "/repo", PACKAGES]
    assert without_zips(path) == path
