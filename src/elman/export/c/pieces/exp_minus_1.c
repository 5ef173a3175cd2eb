/* e^x = 2^n e^r, where n is a whole number and |r| <= ln(2) / 2. Gives e^r - 1 and puts 2^n into
 * `power`. |x| <= 88; what is not a number stays so. */
static inline float exp_minus_1(float x, float *power)
{
    const float whole = 12582912.0f; /* 1.5 * 2^23: what is added to it loses its fraction */
    union { float number; uint32_t bits; } shifted, scale;
    float n, r;
    shifted.number = x * 1.44269504f + whole;
    n = shifted.number - whole;
    r = (x - n * 0.693359375f) + n * 2.12194440e-4f; /* ln(2) in two parts; the first is exact */
    scale.bits = (shifted.bits << 23) + 0x3f800000u;
    *power = scale.number;
    return r + r * r * (0.5f + r * (0.166665425f + r * (0.0416662806f
           + r * (0.00836664393f + r * 0.00139465537f))));
}
