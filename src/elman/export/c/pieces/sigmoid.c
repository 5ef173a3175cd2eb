/* 1 / (1 + e^-x) within 3 units in the last place; at most 1e-38 below -87. */
static inline float sigmoid(float x)
{
#ifdef NAME_MATH_H
    return 1.0f / (1.0f + expf(-x));
#else
    const float near = x < -88.0f ? -88.0f : x > 88.0f ? 88.0f : x;
    float power, small = exp_minus_1(-near, &power);
    return 1.0f / (1.0f + (power + power * small));
#endif
}
