/* max(0, x); what is not a number stays so. */
static inline float relu(float x)
{
    return x < 0.0f ? 0.0f : x;
}
