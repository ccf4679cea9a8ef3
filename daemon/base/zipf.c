/* The names of the paper: h(x) = x^-exponent is the hat over the probabilities, H its integral from 1 to x.
 * The paper's H has the closed forms x^(1-q)/(1-q) and log x; the one here differs by a constant and is
 * written so that it stays exact where the two meet, for exponents close to 1. */
#include "base/zipf.h"

#include <assert.h>
#include <math.h>

/* Below this the next term of the series is beyond the precision of a double. */
#define SERIES_BELOW 1e-8

/* From here on the area under the hat and the probability of an item are the same to the precision of a
 * double (they differ by exponent * (exponent + 1) / (24 * item^2) of it), and a comparison of areas would
 * decide by their rounding. */
#define HAT_FITS_FROM 0x1p32

/* expm1(x) / x */
static double zipf_expm1_ratio(double x)
{
    return fabs(x) > SERIES_BELOW ? expm1(x) / x : 1 + x / 2;
}

/* log1p(x) / x */
static double zipf_log1p_ratio(double x)
{
    return fabs(x) > SERIES_BELOW ? log1p(x) / x : 1 - x / 2;
}

static double zipf_hat(double exponent, double x)
{
    return exp(-exponent * log(x));
}

/* H(x) = (x^(1-q) - 1) / (1-q), for q = 1 log x. */
static double zipf_hat_integral(double exponent, double x)
{
    double logarithm = log(x);
    return logarithm * zipf_expm1_ratio((1 - exponent) * logarithm);
}

/* H(x) = area solved for x. */
static double zipf_hat_integral_inverse(double exponent, double area)
{
    /* H is above -1/(1-q) for q < 1 and below it for q > 1; rounding must not lead beyond. */
    double scaled = fmax(area * (1 - exponent), -1);
    return exp(area * zipf_log1p_ratio(scaled));
}

void zipf_init(struct zipf *zipf, uint64_t count, double exponent)
{
    assert(count >= 1 && count <= ZIPF_COUNT_MOST && exponent > 0 && isfinite(exponent));
    *zipf = (struct zipf){
        .count = count,
        .exponent = exponent,
        /* The first item gets exactly its probability: no draw falls where it would be rejected. */
        .area_first = zipf_hat_integral(exponent, 1.5) - 1,
        .area_end = zipf_hat_integral(exponent, (double)count + 0.5),
        .squeeze =
            2 - zipf_hat_integral_inverse(exponent, zipf_hat_integral(exponent, 2.5) - zipf_hat(exponent, 2)),
    };
}

uint64_t zipf_draw(const struct zipf *zipf, struct random *random)
{
    for (;;) {
        double area = zipf->area_end + random_unit(random) * (zipf->area_first - zipf->area_end);
        double point = zipf_hat_integral_inverse(zipf->exponent, area);
        /* An exponent beyond all reason gives points that are no numbers; such an area is the first item's.
         */
        double item = point > 1 ? fmin(round(point), (double)zipf->count) : 1;
        if (item - point <= zipf->squeeze || item >= HAT_FITS_FROM ||
            area >= zipf_hat_integral(zipf->exponent, item + 0.5) - zipf_hat(zipf->exponent, item))
            return (uint64_t)item;
    }
}
